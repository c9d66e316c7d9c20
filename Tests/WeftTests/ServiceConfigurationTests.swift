import Testing
import Weft

@Suite("ServiceConfiguration", .timeLimit(.minutes(2)))
struct ServiceConfigurationTests {
    @Test("The defaults are those promised")
    func defaults() {
        let configuration = ServiceConfiguration()
        #expect(configuration.subProtocols.isEmpty)
        #expect(configuration.allowedOrigins == .sameOrigin)
        #expect(configuration.idleTimeout == .zero)
        #expect(configuration.maxFrameSize == 65536)
        #expect(configuration.maxMessageSize == 1 << 20)
        #expect(configuration.maxFragments == 131_072)
        #expect(configuration.sendQueueLimit == 16 << 20)
        #expect(configuration.connectionClosureTimeout == .seconds(60))
        #expect(configuration.dispatch == .eventLoop)
        #expect(configuration.slowCallbackWarning == nil)
        #expect(configuration.keepAlive == KeepAlive())
        #expect(KeepAlive() == KeepAlive(interval: .seconds(60), timeout: .seconds(30)))
    }

    @Test(
        "invalidConfiguration: a value out of range throws when the service is attached and names the field")
    func outOfRange() async throws {
        let changes: [(String, String, (inout ServiceConfiguration) -> Void)] = [
            ("maxMessageSize", "at least 1", { $0.maxMessageSize = 0 }),
            ("maxFragments", "in 1 to 4294967295", { $0.maxFragments = 0 }),
            ("maxFragments", "in 1 to 4294967295", { $0.maxFragments = 1 << 32 }),
            ("sendQueueLimit", "at least 1", { $0.sendQueueLimit = 0 }),
            ("idleTimeout", "at least 0", { $0.idleTimeout = .nanoseconds(-1) }),
            ("connectionClosureTimeout", "more than 0", { $0.connectionClosureTimeout = .zero }),
            ("slowCallbackWarning", "more than 0", { $0.slowCallbackWarning = .zero }),
            ("keepAlive.interval", "more than 0", { $0.keepAlive = KeepAlive(interval: .zero) }),
            ("keepAlive.timeout", "more than 0", { $0.keepAlive = KeepAlive(timeout: .seconds(-1)) }),
        ]
        let listener = try Listener(port: 0, configuration: .local)
        for (field, range, change) in changes {
            var configuration = ServiceConfiguration()
            change(&configuration)
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                try listener.attach(at: "/ws", configuration: copy) { _ in Echo() }
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix(field + ":") && error.message.contains(range), "\(error.message)")
        }
    }

    @Test(
        "subProtocols: one that is no token is an error that names the field and shows it",
        arguments: ["", "a b", "a,b", "a\r\nX-Evil: 1", "a\n", "a\0", "ä", "a/b", "\"a\""])
    func badSubprotocol(name: String) async throws {
        var configuration = ServiceConfiguration()
        configuration.subProtocols = ["v1", name]
        let listener = try Listener(port: 0, configuration: .local)
        let error = try await failure(WebSocketError.self) { [configuration] in
            try listener.attach(at: "/ws", configuration: configuration) { _ in Echo() }
        }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message == "subProtocols: \(name.debugDescription) is not a token")
    }

    @Test(
        "allowedOrigins: one that no browser sends is an error that names the field and says why",
        arguments: [
            ("https://example.org/", "it has a path, be it only a slash"),
            ("https://Example.org", "browsers send it in lower case"),
            ("https://example.org:443", "browsers leave the default port out"),
            ("", "it is not of the form https://example.org or https://example.org:8443"),
        ])
    func badOrigin(origin: String, problem: String) async throws {
        var configuration = ServiceConfiguration()
        configuration.allowedOrigins = .list(["https://example.org", "null", origin])
        let listener = try Listener(port: 0, configuration: .local)
        let error = try await failure(WebSocketError.self) { [configuration] in
            try listener.attach(at: "/ws", configuration: configuration) { _ in Echo() }
        }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message == "allowedOrigins: \(origin.debugDescription): \(problem)")
    }

    @Test("maxFrameSize, maxMessageSize, sendQueueLimit: the greatest numbers are in range, on both sides")
    func greatest() async throws {
        var service = ServiceConfiguration()
        service.limits = Self.greatest(service.limits)
        try await serve(Echo(), service) { listener in
            var configuration = ClientConfiguration()
            configuration.limits = Self.greatest(configuration.limits)
            let client = try await Client(listener.url(), configuration: configuration)
            let data = [UInt8](repeating: 1, count: 2_000_000)
            try await client.writeBinaryMessage(data)
            #expect(try await client.readBinaryMessage() == data)
        }
    }

    private static func greatest(_ defaults: ConnectionLimits) -> ConnectionLimits {
        var limits = defaults
        limits.maxFrameSize = .max
        limits.maxMessageSize = .max
        limits.sendQueueLimit = .max
        limits.maxFragments = Int(UInt32.max)
        return limits
    }

    @Test("maxMessageSize: bounds the sum of a message's fragments, and a message may have as much")
    func assembledSize() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.maxMessageSize = 10
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.text("12345", isLast: false), Frame(opcode: 0, payload: Array("67890".utf8)))
            #expect(try await service.next(2) == [.open, .text("1234567890")])
            try await peer.send(
                .text("12345", isLast: false), Frame(opcode: 0, payload: Array("678901".utf8)))
            let close = try await peer.readFrame()
            #expect(close.closeCode == 1009)
            let reason = String(decoding: close.payload.dropFirst(2), as: UTF8.self)
            #expect(reason == "message of 11 bytes is over maxMessageSize 10")
            #expect(try await service.next(2) == [.error(.payloadTooLarge), .close(.messageTooBig, reason)])
        }
    }

    @Test("maxFrameSize: 0 or less means 65536", arguments: [0, -1])
    func maxFrameSize(size: Int) async throws {
        var configuration = ServiceConfiguration()
        configuration.maxFrameSize = size
        try await serve(Echo(), configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let frame = Frame(opcode: 2, payload: [UInt8](repeating: 1, count: 65536))
            try await peer.send(frame)
            #expect(try await peer.readFrame() == frame)
        }
    }

    @Test("maxFragments: more fragments than maxFragments end the connection with 1009, empty ones count")
    func maxFragments() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.maxFragments = 3
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let (first, middle) = (Frame.text("a", isLast: false), Frame(opcode: 0, isLast: false))
            try await peer.send(first, middle, Frame(opcode: 0))
            #expect(try await service.next(2) == [.open, .text("a")])
            try await peer.send(first, middle, middle, middle)
            #expect(try await peer.readFrame().closeCode == 1009)
            #expect(try await service.next(1) == [.error(.payloadTooLarge)])
        }
    }

    @Test("keepAlive: pings a silent peer and drops it as 1006 when no pong comes")
    func keepAlive() async throws {
        let service = KeepAliveWitness()
        var configuration = ServiceConfiguration()
        configuration.keepAlive = KeepAlive(interval: .milliseconds(20), timeout: .milliseconds(20))
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await peer.readFrame().opcode == 9)
            #expect(try await service.ends.next() == "connectionLost: no pong in 0.02 s")
            #expect(try await service.ends.next() == "1006")
            #expect(try await peer.readToEnd().isEmpty)
        }
    }

    /// Tells how connections end.
    private final class KeepAliveWitness: Service {
        let ends = Channel<String>()

        func onError(_ caller: Caller, _ error: any Error) async { ends.send("\(error)") }
        func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws {
            ends.send("\(statusCode)")
        }
    }

    @Test("keepAlive: nil sends no pings, however long the peer is silent")
    func noKeepAlive() async throws {
        let service = Recorder { caller, event in
            if case .text(let text) = event { try await caller.writeTextMessage(text) }
        }
        var configuration = ServiceConfiguration()
        configuration.keepAlive = nil
        configuration.idleTimeout = .milliseconds(20)
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(4) == [.open, .idle, .idle, .idle])
            try await peer.send(.text("nothing before this"))
            #expect(try await peer.readFrame() == .text("nothing before this"))
        }
    }

    @Test("keepAlive: a peer that answers the keep-alive's pings stays")
    func keepAliveAnswered() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.keepAlive = KeepAlive(interval: .milliseconds(10), timeout: .seconds(60))
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            for _ in 0..<5 {
                let ping = try await peer.readFrame()
                #expect(ping.opcode == 9)
                try await peer.send(Frame(opcode: 10, payload: ping.payload))
            }
            try await peer.send(.text("here"))
            while case let event = try await service.events.next(), event != .text("here") {
                #expect(event == .open || event == .pong([]))
            }
        }
    }
}
