import Testing
import Weft

@Suite("CompressionOptions", .timeLimit(.minutes(2)))
struct CompressionOptionsTests {
    private static let offer = "permessage-deflate; client_max_window_bits"
    private static let text = String(repeating: "the shuttle carries the weft through the shed. ", count: 50)

    /// What a listener answers to a client's offers; nil: nothing.
    private func answer(_ configuration: ListenerConfiguration, to offer: String) async throws -> String? {
        try await serve(Echo(), on: configuration) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(RawPeer.upgradeRequest("/ws", "Sec-WebSocket-Extensions: \(offer)"))
            let response = try await peer.readResponse()
            #expect(response.status == 101)
            return response.fields["sec-websocket-extensions"]
        }
    }

    private func answer(
        to offer: String = offer, _ change: (inout CompressionOptions) -> Void
    ) async throws -> String? {
        var configuration = ListenerConfiguration.local
        configuration.compression.memory = .dedicated
        change(&configuration.compression)
        return try await answer(configuration, to: offer)
    }

    /// What a client offers; nil: nothing.
    private func offered(_ configuration: ClientConfiguration) async throws -> String? {
        let server = try RawServer()
        async let _ = try? Client(server.url, configuration: configuration)
        let head = try await server.accept().readHead()
        let line = head.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Extensions: ") }
        return line.map { String($0.dropFirst("Sec-WebSocket-Extensions: ".count)) }
    }

    private func offered(_ change: (inout CompressionOptions) -> Void) async throws -> String? {
        var configuration = ClientConfiguration()
        change(&configuration.compression)
        return try await offered(configuration)
    }

    /// Whether the echo of a text comes compressed, which a client of ours does not tell.
    private func echoIsCompressed(
        _ text: String, _ change: (inout CompressionOptions) -> Void = { _ in }
    ) async throws -> Bool {
        var configuration = ListenerConfiguration.local
        change(&configuration.compression)
        return try await serve(Echo(), on: configuration) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(RawPeer.upgradeRequest("/ws", "Sec-WebSocket-Extensions: \(Self.offer)"))
            #expect(try await peer.readResponse().status == 101)
            try await peer.send(.text(text))
            return try await peer.read(1) == [0xC1]
        }
    }

    @Test("The defaults are those promised")
    func defaults() {
        let options = CompressionOptions()
        #expect(options.serverMaxWindowBits == 15 && options.clientMaxWindowBits == 15)
        #expect(!options.serverNoContextTakeover && !options.clientNoContextTakeover)
        #expect(options.threshold == 64 && options.level == 2 && options.memory == .shared)
        #expect(ListenerConfiguration().webSocketCompressionEnabled)
        #expect(ListenerConfiguration().compression == options)
        #expect(ClientConfiguration().webSocketCompressionEnabled)
        #expect(ClientConfiguration().compression == CompressionOptions(memory: .dedicated))
    }

    @Test("A value out of range throws from init and names the field and the range")
    func outOfRange() async throws {
        let changes: [(String, (inout CompressionOptions) -> Void)] = [
            ("serverMaxWindowBits: 8 is not in 9 to 15", { $0.serverMaxWindowBits = 8 }),
            ("serverMaxWindowBits: 16 is not in 9 to 15", { $0.serverMaxWindowBits = 16 }),
            ("clientMaxWindowBits: -1 is not in 9 to 15", { $0.clientMaxWindowBits = -1 }),
            ("clientMaxWindowBits: 300 is not in 9 to 15", { $0.clientMaxWindowBits = 300 }),
            ("level: 0 is not in 1 to 9", { $0.level = 0 }),
            ("level: 10 is not in 1 to 9", { $0.level = 10 }),
            ("threshold: -1 is not at least 0", { $0.threshold = -1 }),
        ]
        for (problem, change) in changes {
            var listening = ListenerConfiguration.local
            var calling = ClientConfiguration()
            change(&listening.compression)
            change(&calling.compression)
            let copies = (listening, calling)
            let refusals = [
                try await failure(WebSocketError.self) { _ = try Listener(port: 0, configuration: copies.0) },
                try await failure(WebSocketError.self) {
                    _ = try await Client("ws://127.0.0.1:9/", configuration: copies.1)
                },
            ]
            for error in refusals {
                #expect(error.code == .invalidConfiguration)
                #expect(error.message == "compression." + problem)
            }
        }
    }

    @Test("webSocketCompressionEnabled: false takes no offer and makes none")
    func disabled() async throws {
        var listening = ListenerConfiguration.local
        listening.webSocketCompressionEnabled = false
        #expect(try await answer(listening, to: Self.offer) == nil)
        var calling = ClientConfiguration()
        calling.webSocketCompressionEnabled = false
        #expect(try await offered(calling) == nil)
        #expect(try await offered(ClientConfiguration()) == Self.offer)
    }

    @Test("compression: what a listener answers by default")
    func answer() async throws {
        let shared = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        #expect(try await answer(.local, to: Self.offer) == shared)
        #expect(try await answer(.local, to: "permessage-deflate; odd, \(Self.offer)") == shared)
        #expect(try await answer(.local, to: "permessage-deflate; odd") == nil)
    }

    @Test("serverMaxWindowBits: answered, and offered")
    func serverMaxWindowBits() async throws {
        #expect(
            try await answer { $0.serverMaxWindowBits = 12 }
                == "permessage-deflate; server_max_window_bits=12")
        #expect(
            try await offered { $0.serverMaxWindowBits = 12 }
                == "permessage-deflate; server_max_window_bits=12; client_max_window_bits")
    }

    @Test("clientMaxWindowBits: asked of clients that can be asked, and offered")
    func clientMaxWindowBits() async throws {
        #expect(
            try await answer { $0.clientMaxWindowBits = 10 }
                == "permessage-deflate; client_max_window_bits=10")
        #expect(
            try await answer(to: "permessage-deflate") { $0.clientMaxWindowBits = 10 } == "permessage-deflate"
        )
        #expect(
            try await offered { $0.clientMaxWindowBits = 10 }
                == "permessage-deflate; client_max_window_bits=10")
    }

    @Test("serverNoContextTakeover: answered, and offered")
    func serverNoContextTakeover() async throws {
        #expect(
            try await answer { $0.serverNoContextTakeover = true }
                == "permessage-deflate; server_no_context_takeover")
        #expect(
            try await offered { $0.serverNoContextTakeover = true }
                == "permessage-deflate; server_no_context_takeover; client_max_window_bits")
    }

    @Test("clientNoContextTakeover: answered, and offered")
    func clientNoContextTakeover() async throws {
        #expect(
            try await answer { $0.clientNoContextTakeover = true }
                == "permessage-deflate; client_no_context_takeover")
        #expect(
            try await offered { $0.clientNoContextTakeover = true }
                == "permessage-deflate; client_no_context_takeover; client_max_window_bits")
    }

    @Test("level: both ends of the range make messages smaller", arguments: [1, 9])
    func level(level: Int) async throws {
        #expect(try await echoIsCompressed(Self.text) { $0.level = level })
    }

    @Test("threshold: messages of fewer bytes go uncompressed")
    func threshold() async throws {
        let line = String(repeating: "a", count: 64)
        #expect(try await echoIsCompressed(line))
        #expect(try await !echoIsCompressed(String(line.dropLast())))
        #expect(try await !echoIsCompressed(Self.text) { $0.threshold = Self.text.utf8.count + 1 })
        #expect(try await echoIsCompressed("aaaaaaaaaaaaaaaaaaaa") { $0.threshold = 0 })
    }

    @Test(
        "memory: messages pass both ways under each policy",
        arguments: [CompressionOptions.MemoryPolicy.shared, .dedicated])
    func memory(policy: CompressionOptions.MemoryPolicy) async throws {
        var listening = ListenerConfiguration.local
        listening.compression.memory = policy
        try await serve(Echo(), on: listening) { listener in
            let client = try await Client(listener.url())
            #expect(client.compressionNegotiated)
            for number in 0..<20 {
                let text = Self.text + "\(number)"
                try await client.writeTextMessage(text)
                #expect(try await client.readTextMessage() == text)
            }
            try await client.close()
        }
    }

    @Test("compressionNegotiated: what both sides want")
    func compressionNegotiated() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            for isWanted in [true, false] {
                var configuration = ClientConfiguration()
                configuration.webSocketCompressionEnabled = isWanted
                let client = try await Client(listener.url(), configuration: configuration)
                #expect(client.compressionNegotiated == isWanted)
                #expect(client.caller.compressionNegotiated == isWanted)
                #expect(try await service.callers.next().compressionNegotiated == isWanted)
                try await client.close()
            }
        }
    }

    @Test("invalidPayload: damaged compressed data ends the connection with invalidPayload and 1007")
    func damaged() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(RawPeer.upgradeRequest("/ws", "Sec-WebSocket-Extensions: \(Self.offer)"))
            #expect(try await peer.readResponse().status == 101)
            try await peer.send(Frame(opcode: 0x41, payload: [0xF2, 0x48, 0xCD]))
            #expect(try await peer.readFrame().closeCode == 1007)
            let reason = "a compressed message is damaged"
            let ended: [Event] = [.open, .error(.invalidPayload), .close(.invalidFramePayloadData, reason)]
            #expect(try await service.next(3) == ended)
        }
    }

    @Test(
        "payloadTooLarge: a message that inflates to more than maxMessageSize ends with payloadTooLarge and 1009"
    )
    func tooLarge() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.maxMessageSize = 4
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(RawPeer.upgradeRequest("/ws", "Sec-WebSocket-Extensions: \(Self.offer)"))
            #expect(try await peer.readResponse().status == 101)
            let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
            try await peer.send(Frame(opcode: 0x41, payload: hello))
            #expect(try await peer.readFrame().closeCode == 1009)
            #expect(try await service.next(2) == [.open, .error(.payloadTooLarge)])
        }
    }
}
