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
        let changes: [(String, (inout ServiceConfiguration) -> Void)] = [
            ("maxMessageSize", { $0.maxMessageSize = 0 }), ("maxFragments", { $0.maxFragments = 0 }),
            ("maxFragments", { $0.maxFragments = 1 << 32 }), ("sendQueueLimit", { $0.sendQueueLimit = 0 }),
            ("idleTimeout", { $0.idleTimeout = .nanoseconds(-1) }),
            ("connectionClosureTimeout", { $0.connectionClosureTimeout = .zero }),
            ("slowCallbackWarning", { $0.slowCallbackWarning = .zero }),
            ("keepAlive.interval", { $0.keepAlive = KeepAlive(interval: .zero) }),
            ("keepAlive.timeout", { $0.keepAlive = KeepAlive(timeout: .seconds(-1)) }),
        ]
        let listener = try Listener(port: 0, configuration: .local)
        for (field, change) in changes {
            var configuration = ServiceConfiguration()
            change(&configuration)
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                try listener.attach(at: "/ws", configuration: copy) { _ in Echo() }
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix(field + ":"))
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
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.keepAlive = KeepAlive(interval: .milliseconds(20), timeout: .milliseconds(20))
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await peer.readFrame().opcode == 9)
            #expect(try await service.next(2) == [.open, .error(.connectionLost)])
            guard case .close(.abnormalClosure, _) = try await service.events.next() else {
                Issue.record("no 1006")
                return
            }
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
