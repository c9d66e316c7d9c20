import Testing
import Weft

@Suite("ListenerConfiguration", .timeLimit(.minutes(2)))
struct ListenerConfigurationTests {
    @Test("The defaults are those promised")
    func defaults() {
        let configuration = ListenerConfiguration()
        #expect(configuration.host == "0.0.0.0")
        #expect(configuration.timeout == .seconds(120))
        #expect(configuration.server == nil)
        #expect(configuration.requestLimits.maxUriLength == 4096)
        #expect(configuration.requestLimits.maxHeaderSize == 8192)
        #expect(configuration.requestLimits.maxEntityBodySize == -1)
        #expect(configuration.http1Settings == HTTP1Settings(keepAlive: .auto, maxPipelinedRequests: 10))
        #expect(HTTP1Settings(keepAlive: .never).maxPipelinedRequests == 10)
        #expect(configuration.threads == 1)
        #expect(configuration.eventLoops == nil)
        #expect(configuration.backlog == 4096)
        #expect(configuration.maxConnections == .max)
    }

    @Test("A value out of range throws from init and names the field")
    func outOfRange() async throws {
        let count = "in 1 to 4294967295"
        let changes: [(String, String, (inout ListenerConfiguration) -> Void)] = [
            ("timeout", "at least 0", { $0.timeout = .milliseconds(-1) }),
            ("threads", "in 1 to 1024", { $0.threads = 0 }),
            ("threads", "in 1 to 1024", { $0.threads = 1025 }),
            ("backlog", "in 1 to 2147483647", { $0.backlog = 0 }),
            ("backlog", "in 1 to 2147483647", { $0.backlog = 1 << 31 }),
            ("maxConnections", "at least 1", { $0.maxConnections = 0 }),
            ("requestLimits.maxUriLength", count, { $0.requestLimits.maxUriLength = 0 }),
            ("requestLimits.maxUriLength", count, { $0.requestLimits.maxUriLength = 1 << 32 }),
            ("requestLimits.maxHeaderSize", count, { $0.requestLimits.maxHeaderSize = -1 }),
            ("requestLimits.maxHeaderSize", count, { $0.requestLimits.maxHeaderSize = 1 << 32 }),
            ("requestLimits.maxEntityBodySize", "at least -1", { $0.requestLimits.maxEntityBodySize = -2 }),
            ("http1Settings.maxPipelinedRequests", count, { $0.http1Settings.maxPipelinedRequests = 0 }),
            (
                "http1Settings.maxPipelinedRequests", count,
                { $0.http1Settings.maxPipelinedRequests = 1 << 32 }
            ),
            ("server", "control characters", { $0.server = "Weft\r\nX-Evil: 1" }),
            ("server", "control characters", { $0.server = "Weft\0" }),
            ("host", "empty", { $0.host = "" }), ("host", "NUL", { $0.host = "127.0.0.1\0.example.org" }),
        ]
        for (field, range, change) in changes {
            var configuration = ListenerConfiguration.local
            change(&configuration)
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                _ = try Listener(port: 0, configuration: copy)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix(field + ":") && error.message.contains(range), "\(error.message)")
        }
    }

    @Test("requestLimits, http1Settings, backlog: the greatest numbers are in range")
    func greatest() async throws {
        var configuration = ListenerConfiguration.local
        configuration.requestLimits.maxUriLength = Int(UInt32.max)
        configuration.requestLimits.maxHeaderSize = Int(UInt32.max)
        configuration.requestLimits.maxEntityBodySize = .max
        configuration.http1Settings.maxPipelinedRequests = Int(UInt32.max)
        configuration.backlog = Int(Int32.max)
        configuration.maxConnections = .max
        try await serve(Echo(), on: configuration) { listener in
            try await Client(listener.url("/ws?" + String(repeating: "x", count: 100_000))).close()
        }
    }

    @Test(
        "init(port: Int, configuration: ListenerConfiguration): a port out of range throws and is named",
        arguments: [-1, 65536])
    func port(port: Int) async throws {
        let error = try await failure(WebSocketError.self) { _ = try Listener(port: port) }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains("port") && error.message.contains("\(port)"))
    }

    @Test("backlog: the least is 1, and such a listener serves one connection after the other")
    func backlog() async throws {
        var configuration = ListenerConfiguration.local
        configuration.backlog = 1
        try await serve(Echo(), on: configuration) { listener in
            for number in 0..<20 {
                let client = try await Client(listener.url())
                try await client.writeTextMessage("\(number)")
                #expect(try await client.readTextMessage() == "\(number)")
            }
        }
    }

    @Test("timeout: expiry while a request is arriving: 408 and close")
    func timeout() async throws {
        var configuration = ListenerConfiguration.local
        configuration.timeout = .seconds(2)
        try await serve(Echo(), on: configuration) { listener in
            let half = Array("GET /ws HTTP/1.1\r\nHost: x\r\n".utf8)
            let peer = try await RawPeer.connect(listener.port, sending: half)
            #expect(try await peer.readResponse().status == 408)
            #expect(try await peer.readToEnd().isEmpty)
        }
    }

    @Test("timeout: zero waits for a request as long as it takes")
    func noTimeout() async throws {
        var configuration = ListenerConfiguration.local
        configuration.timeout = .zero
        try await serve(Echo(), on: configuration) { listener in
            let request = Array(RawPeer.upgradeRequest().utf8)
            let peer = try await RawPeer.connect(listener.port, sending: Array(request.prefix(30)))
            for _ in 0..<20 { try await Client(listener.url()).close() }
            try await peer.send(Array(request.dropFirst(30)))
            #expect(try await peer.readResponse().status == 101)
        }
    }

    @Test("timeout: a peer that trickles bytes does not extend the timeout")
    func trickle() async throws {
        var configuration = ListenerConfiguration.local
        configuration.timeout = .milliseconds(100)
        configuration.requestLimits.maxHeaderSize = 1 << 30
        try await serve(Echo(), on: configuration) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send("GET /ws HTTP/1.1\r\nHost: x\r\n")
            // Ends only because the listener ends TCP.
            while (try? await peer.send("A: b\r\n")) != nil { try await Task.sleep(for: .milliseconds(5)) }
            try await eventually { listener.connectionCount == 0 }
        }
    }

    @Test("timeout: ends at the upgrade")
    func timeoutEnds() async throws {
        var configuration = ListenerConfiguration.local
        configuration.timeout = .seconds(2)
        var limits = ServiceConfiguration()
        limits.idleTimeout = .seconds(3)
        let service = Recorder()
        try await serve(service, limits, on: configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(2) == [.open, .idle])
            try await peer.send(.text("still here"))
            while case let event = try await service.events.next(), event != .text("still here") {
                #expect(event == .idle)
            }
        }
    }

    @Test("requestLimits: over maxUriLength 414, over maxHeaderSize 431")
    func requestLimits() async throws {
        var configuration = ListenerConfiguration.local
        configuration.requestLimits.maxUriLength = 50
        configuration.requestLimits.maxHeaderSize = 300
        try await serve(Echo(), on: configuration) { listener in
            let long = String(repeating: "x", count: 300)
            for (request, status) in [
                (RawPeer.upgradeRequest("/ws?" + long), 414),
                (RawPeer.upgradeRequest("/ws", "X-Long: " + long), 431),
                (RawPeer.upgradeRequest("/ws?" + long.prefix(46)), 101),
            ] {
                let peer = try await RawPeer.connect(listener.port)
                try await peer.send(request)
                #expect(try await peer.readResponse().status == status)
            }
        }
    }

    /// Answers with the number of bytes in the body, and its path.
    private func serveBodies<Result>(
        _ configuration: ListenerConfiguration, _ talk: (Listener) async throws -> Result
    ) async throws -> Result {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/{rest*}") { request -> HTTPServiceResponse in
                HTTPServiceResponse(text: "\(request.path) \(request.body.count)")
            }
        }
        return try await withListener(configuration, attach: attach, talk)
    }

    @Test("requestLimits: over maxEntityBodySize 413, whether the length is announced or passed")
    func bodyLimit() async throws {
        var configuration = ListenerConfiguration.local
        configuration.requestLimits.maxEntityBodySize = 5
        let chunked = "Transfer-Encoding: chunked\r\n\r\n"
        try await serveBodies(configuration) { listener in
            for (rest, status) in [
                ("Content-Length: 5\r\n\r\nhello", 200), ("Content-Length: 6\r\n\r\n", 413),
                (chunked + "5\r\nhello\r\n0\r\n\r\n", 200), (chunked + "3\r\nhel\r\n3\r\n", 413),
                ("Content-Length: 6\r\nExpect: 100-continue\r\n\r\n", 413),
            ] {
                let peer = try await RawPeer.connect(listener.port)
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\n" + rest)
                let response = try await peer.readResponse()
                #expect(response.status == status)
                #expect(response.fields["connection"] == (status == 413 ? "close" : nil))
            }
        }
    }

    @Test("timeout: a body that does not arrive is 408 too")
    func bodyTimeout() async throws {
        var configuration = ListenerConfiguration.local
        configuration.timeout = .seconds(2)
        try await serveBodies(configuration) { listener in
            let half = Array("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf".utf8)
            let peer = try await RawPeer.connect(listener.port, sending: half)
            #expect(try await peer.readResponse().status == 408)
            #expect(try await peer.readToEnd().isEmpty)
        }
    }

    @Test(
        "http1Settings: keepAlive is what the client asks, or always, or never",
        arguments: [
            (HTTP1Settings.KeepAlive.auto, "", nil), (.auto, "Connection: close\r\n", "close"),
            (.always, "Connection: close\r\n", nil), (.never, "", "close"),
        ] as [(HTTP1Settings.KeepAlive, String, String?)])
    func keepAlive(setting: HTTP1Settings.KeepAlive, field: String, expected: String?) async throws {
        var configuration = ListenerConfiguration.local
        configuration.http1Settings.keepAlive = setting
        try await serveBodies(configuration) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(
                "GET /1 HTTP/1.1\r\nHost: x\r\n\(field)\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await peer.readResponse().fields["connection"] == expected)
            if expected == nil {
                #expect(try await peer.readResponse().body == "/2 0")
            } else {
                #expect(try await peer.readToEnd().isEmpty)
            }
        }
    }

    @Test("http1Settings: maxPipelinedRequests are asked for at a time, and answered in order")
    func pipelining() async throws {
        var configuration = ListenerConfiguration.local
        configuration.http1Settings.maxPipelinedRequests = 2
        let asked = Channel<String>()
        let gates = ["/1": Gate(), "/2": Gate(), "/3": Gate()]
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "*") { request -> HTTPServiceResponse in
                asked.send(request.path)
                await gates[request.path]?.pass()
                asked.send(request.path + " answered")
                return HTTPServiceResponse(text: request.path)
            }
        }
        try await withListener(configuration, attach: attach) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send((1...3).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
            #expect(try await Set([asked.next(), asked.next()]) == ["/1", "/2"])
            gates["/2"]?.open()
            #expect(try await asked.next() == "/2 answered")  // which must not leave, nor let /3 in
            gates["/1"]?.open()
            #expect(try await asked.next() == "/1 answered")
            #expect(try await asked.next() == "/3")
            gates["/3"]?.open()
            for path in ["/1", "/2", "/3"] { #expect(try await peer.readResponse().body == path) }
        }
    }

    @Test("server: the field is on every HTTP answer")
    func server() async throws {
        var configuration = ListenerConfiguration.local
        configuration.server = "Weft test"
        configuration.maxConnections = 1
        let long = String(repeating: "x", count: 10_000)
        let requests = [
            (RawPeer.upgradeRequest(), 101), (RawPeer.upgradeRequest("/none"), 404), ("no HTTP\r\n\r\n", 400),
            (RawPeer.upgradeRequest("/" + long), 414), (RawPeer.upgradeRequest("/ws", "X: " + long), 431),
            (RawPeer.upgradeRequest("/ws", "Origin: http://evil.example"), 403),
        ]
        try await serve(Echo(), on: configuration) { listener in
            for (request, status) in requests {
                try await eventually { listener.connectionCount == 0 }
                let peer = try await RawPeer.connect(listener.port, sending: Array(request.utf8))
                let response = try await peer.readResponse()
                #expect(response.status == status)
                #expect(response.fields["server"] == "Weft test", "\(status)")
                guard status == 101 else { continue }
                let other = try await RawPeer.connect(listener.port, sending: Array(request.utf8))
                let refusal = try await other.readResponse()
                #expect(refusal.status == 503 && refusal.fields["server"] == "Weft test")
            }
        }
    }

    @Test("maxConnections: over the limit 503 and close")
    func maxConnections() async throws {
        var configuration = ListenerConfiguration.local
        configuration.maxConnections = 2
        try await serve(Echo(), on: configuration) { listener in
            let first = try await Client(listener.url())
            let second = try await Client(listener.url())
            #expect(try await handshakeStatus(listener.url()) == 503)
            let request = Array(RawPeer.upgradeRequest().utf8)
            let third = try await RawPeer.connect(listener.port, sending: request)
            #expect(try await third.readResponse().fields["connection"] == "close")
            #expect(try await third.readToEnd().isEmpty)
            try await first.close()
            try await eventually { listener.connectionCount < 2 }
            try await Client(listener.url()).close()
            try await second.close()
        }
    }

    @Test("host: may be a name")
    func hostName() async throws {
        var configuration = ListenerConfiguration()
        configuration.host = "localhost"
        let listener = try Listener(port: 0, configuration: configuration)
        try await listener.start()
        #expect(["127.0.0.1", "::1"].contains(listener.localAddress?.host))
        try await listener.immediateStop()
    }
}
