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
        #expect(configuration.threads == 1)
        #expect(configuration.eventLoops == nil)
        #expect(configuration.backlog == 4096)
        #expect(configuration.maxConnections == .max)
    }

    @Test("A value out of range throws from init and names the field")
    func outOfRange() async throws {
        let changes: [(String, (inout ListenerConfiguration) -> Void)] = [
            ("timeout", { $0.timeout = .milliseconds(-1) }), ("threads", { $0.threads = 0 }),
            ("threads", { $0.threads = 1025 }), ("backlog", { $0.backlog = 0 }),
            ("maxConnections", { $0.maxConnections = 0 }),
            ("requestLimits.maxUriLength", { $0.requestLimits.maxUriLength = 0 }),
            ("requestLimits.maxHeaderSize", { $0.requestLimits.maxHeaderSize = -1 }),
            ("server", { $0.server = "Weft\r\nX-Evil: 1" }),
        ]
        for (field, change) in changes {
            var configuration = ListenerConfiguration.local
            change(&configuration)
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                _ = try Listener(port: 0, configuration: copy)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix(field + ":"))
        }
    }

    @Test("A port out of range throws from init and is named", arguments: [-1, 65536])
    func port(port: Int) async throws {
        let error = try await failure(WebSocketError.self) { _ = try Listener(port: port) }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains("port") && error.message.contains("\(port)"))
    }

    @Test("Expiry of timeout while a request is arriving: 408 and close")
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

    @Test("A peer that trickles bytes does not extend the timeout")
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

    @Test("The timeout ends at the upgrade")
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

    @Test("Over the request limits: 414 and 431")
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

    @Test("The Server header is on every HTTP answer")
    func server() async throws {
        var configuration = ListenerConfiguration.local
        configuration.server = "Weft test"
        try await serve(Echo(), on: configuration) { listener in
            for path in ["/ws", "/none"] {
                let peer = try await RawPeer.connect(listener.port)
                try await peer.send(RawPeer.upgradeRequest(path))
                #expect(try await peer.readResponse().fields["server"] == "Weft test")
            }
        }
    }

    @Test("Over maxConnections: 503 and close")
    func maxConnections() async throws {
        var configuration = ListenerConfiguration.local
        configuration.maxConnections = 2
        try await serve(Echo(), on: configuration) { listener in
            let first = try await Client(listener.url())
            let second = try await Client(listener.url())
            #expect(try await handshakeStatus(listener.url()) == 503)
            try await first.close()
            try await eventually { listener.connectionCount < 2 }
            try await Client(listener.url()).close()
            try await second.close()
        }
    }

    @Test("A host may be a name")
    func hostName() async throws {
        var configuration = ListenerConfiguration()
        configuration.host = "localhost"
        let listener = try Listener(port: 0, configuration: configuration)
        try await listener.start()
        #expect(["127.0.0.1", "::1"].contains(listener.localAddress?.host))
        try await listener.immediateStop()
    }
}
