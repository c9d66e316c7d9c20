import HTTPTypes
import Testing
import Weft

@Suite("ClientConfiguration", .timeLimit(.minutes(2)))
struct ClientConfigurationTests {
    @Test("The defaults are those promised")
    func defaults() {
        let configuration = ClientConfiguration()
        #expect(configuration.subProtocols.isEmpty)
        #expect(configuration.customHeaders.isEmpty)
        #expect(configuration.handShakeTimeout == .seconds(300))
        #expect(configuration.readTimeout == nil && configuration.writeTimeout == nil)
        #expect(configuration.cookies.isEmpty)
        #expect(configuration.pingPongHandler == nil)
        #expect(configuration.connectionClosureTimeout == .seconds(60))
        #expect(configuration.idleTimeout == .zero)
        #expect(configuration.maxFrameSize == 65536)
        #expect(configuration.maxMessageSize == 1 << 20)
        #expect(configuration.keepAlive == KeepAlive(interval: .seconds(60), timeout: .seconds(30)))
        #expect(configuration.eventLoops == nil)
    }

    @Test("invalidConfiguration: a value out of range throws and names the field")
    func outOfRange() async throws {
        let changes: [(String, String, (inout ClientConfiguration) -> Void)] = [
            ("maxMessageSize", "at least 1", { $0.maxMessageSize = 0 }),
            ("maxFragments", "in 1 to 4294967295", { $0.maxFragments = 0 }),
            ("maxFragments", "in 1 to 4294967295", { $0.maxFragments = 1 << 32 }),
            ("sendQueueLimit", "at least 1", { $0.sendQueueLimit = 0 }),
            ("idleTimeout", "at least 0", { $0.idleTimeout = .seconds(-1) }),
            ("connectionClosureTimeout", "more than 0", { $0.connectionClosureTimeout = .zero }),
            ("keepAlive.interval", "more than 0", { $0.keepAlive = KeepAlive(interval: .zero) }),
            ("keepAlive.timeout", "more than 0", { $0.keepAlive = KeepAlive(timeout: .zero) }),
            ("threads", "in 1 to 1024", { $0.eventLoops = EventLoops(threads: 0) }),
        ]
        for (field, range, change) in changes {
            var configuration = ClientConfiguration()
            change(&configuration)
            let copy = configuration
            let connects: [() async throws -> Void] = [
                { _ = try await Client("ws://127.0.0.1:1/", configuration: copy) },
                { _ = try await AsyncClient("ws://127.0.0.1:1/", configuration: copy) },
            ]
            for connect in connects {
                let error = try await failure(WebSocketError.self, connect)
                #expect(error.code == .invalidConfiguration)
                #expect(
                    error.message.hasPrefix(field) && error.message.contains(range), "\(error.message)")
            }
        }
    }

    @Test("handShakeTimeout: a server that takes longer to decide is handshakeTimedOut")
    func slowDecision() async throws {
        let (isAsked, mayDecide) = (Channel<Void>(), Gate())
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in
                isAsked.send(())
                await mayDecide.pass()
                return Upgrade(Echo())
            }
        }
        try await withListener(attach: attach) { listener in
            var configuration = ClientConfiguration()
            configuration.handShakeTimeout = .milliseconds(200)
            let error = try await failure(WebSocketError.self) { [configuration] in
                _ = try await Client(listener.url(), configuration: configuration)
            }
            #expect(error.code == .handshakeTimedOut)
            try await isAsked.next()
            mayDecide.open()
        }
    }

    @Test("handShakeTimeout: ends at the handshake")
    func timeoutEnds() async throws {
        let here = Recorder()
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.handShakeTimeout = .seconds(2)
            configuration.idleTimeout = .milliseconds(2200)
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration)
            #expect(try await here.next(2) == [.open, .idle])
            try await client.writeTextMessage("still here")
            while case let event = try await here.events.next(), event != .text("still here") {
                #expect(event == .idle)
            }
        }
    }

    @Test("keepAlive: a client pings a silent server, and drops it when no pong comes")
    func keepAlive() async throws {
        let server = try RawServer()
        var configuration = ClientConfiguration()
        configuration.keepAlive = KeepAlive(interval: .milliseconds(20), timeout: .milliseconds(30))
        let connecting = Task { [configuration] in
            try await Client(server.url, configuration: configuration)
        }
        let peer = try await server.accept()
        try await peer.answerUpgrade()
        let client = try await connecting.value
        #expect(try await peer.readFrame().opcode == 9)
        let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
        #expect(error.code == .connectionLost && error.closeCode == .abnormalClosure)
        #expect(error.message.contains("no pong in 0.03 s"), "\(error.message)")
        #expect(try await peer.readToEnd().isEmpty)
    }

    @Test("handShakeTimeout: a negative one is the default, and zero is no limit", arguments: [-1, 0])
    func unusualTimeouts(seconds: Int) async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.handShakeTimeout = .seconds(seconds)
            try await Client(listener.url(), configuration: configuration).close()
        }
    }

    @Test("customHeaders: are added to the request; Host and Origin can be among them")
    func customHeaders() async throws {
        let server = try RawServer()
        var configuration = ClientConfiguration()
        configuration.customHeaders = [
            .authorization: "Bearer abc", HTTPField.Name("Host")!: "other.example",
            .origin: "https://page.example",
        ]
        let connecting = Task { [configuration] in
            try await Client(server.url + "path?q=1", configuration: configuration)
        }
        let peer = try await server.accept()
        let lines = try await peer.readHead().split(separator: "\r\n").map(String.init)
        #expect(lines[0] == "GET /path?q=1 HTTP/1.1")
        #expect(lines.contains("Authorization: Bearer abc"))
        #expect(lines.contains("Origin: https://page.example"))
        #expect(lines.filter { $0.lowercased().hasPrefix("host:") } == ["Host: other.example"])
        connecting.cancel()
        _ = await connecting.result
    }

    @Test(
        "customHeaders: the handshake's own headers cannot be overridden",
        arguments: [
            "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
        ])
    func handshakeHeaders(name: String) async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.customHeaders = [HTTPField.Name(name)!: "x"]
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                _ = try await Client(listener.url(), configuration: copy)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains(name))
        }
    }

    @Test("subProtocols: are offered in order, and the server's choice is known")
    func subProtocols() async throws {
        var service = ServiceConfiguration()
        service.subProtocols = ["v1", "v2"]
        try await serve(Echo(), service) { listener in
            var configuration = ClientConfiguration()
            configuration.subProtocols = ["v3", "v2", "v1"]
            let client = try await Client(listener.url(), configuration: configuration)
            #expect(client.negotiatedSubprotocol == "v2")
            #expect(client.httpResponse?.headerFields[.secWebSocketProtocol] == "v2")
            #expect(try await Client(listener.url()).negotiatedSubprotocol == nil)
        }
    }

    @Test("subProtocols: a server that picks none is an invalid handshake")
    func noSubprotocol() async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.subProtocols = ["v1"]
            let status = try await handshakeStatus(listener.url(), configuration)
            #expect(status == 101)
        }
    }

    @Test(
        "subProtocols: those that are no tokens are an error",
        arguments: [["a b"], [""], ["a", ""], ["a", "a"], ["a,b"], ["a\r\nX: y"], ["a\n"], ["a\0"]])
    func badSubprotocols(names: [String]) async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.subProtocols = names
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                _ = try await Client(listener.url(), configuration: copy)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix("subProtocols: "))
        }
    }

    @Test(
        "customHeaders: a value with a control character is an error, and nothing is sent",
        arguments: [HTTPField.Name.userAgent, .cookie])
    func forbiddenHeader(name: HTTPField.Name) async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.customHeaders.append(HTTPField(name: name, lenientValue: Array("a\u{1}b".utf8)))
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                _ = try await Client(listener.url(), configuration: copy)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains(name.rawName))
            #expect(listener.connectionCount == 0)
        }
    }

    @Test("maxFrameSize: bounds a received frame")
    func maxFrameSize() async throws {
        let service = Recorder { caller, event in
            if event == .open { try await caller.writeBinaryMessage([UInt8](repeating: 0, count: 200)) }
        }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.maxFrameSize = 100
            configuration.webSocketCompressionEnabled = false  // it would make one frame of 20 bytes
            let client = try await Client(listener.url(), configuration: configuration)
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.closeCode == .messageTooBig)
        }
    }
}
