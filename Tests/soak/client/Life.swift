import Weft

/// One connection from its opening to its end, which is as random as its messages.
struct Life: Sendable {
    enum Ending: CaseIterable, Sendable {
        /// The only one after which every message must have come back.
        case closedWhenEchoed, closedAtOnce, dropped
    }

    let number: Int
    let url: String
    /// The relay may end it at any time.
    let mayBeCut: Bool
    let configuration: ClientConfiguration
    let tally: Tally
    private let script: Script
    private let planned: Int
    private let ending: Ending
    private let isSlow: Bool
    private let random: RandomSource

    init(number: Int, url: String, authority: String, tally: Tally, random: inout RandomSource) {
        self.number = number
        self.tally = tally
        mayBeCut = url.hasPrefix("~")
        self.url = mayBeCut ? String(url.dropFirst()) : url
        script = Script(life: number, seed: random.next())
        planned = random.below(60)
        ending = Ending.allCases.randomElement(using: &random)!
        isSlow = random.below(8) == 0
        configuration = Self.configuration(authority: authority, &random)
        self.random = RandomSource(state: random.next())
    }

    private static func configuration(authority: String, _ random: inout RandomSource) -> ClientConfiguration
    {
        var configuration = ClientConfiguration()
        configuration.secureSocket = ClientSecureSocket(cert: .file(authority))
        configuration.secureSocket?.shareSession = random.below(4) > 0
        configuration.secureSocket?.handshakeTimeout = .seconds(60)  // the machine may be busy
        if random.below(4) == 0 { configuration.secureSocket?.protocol = [.tlsv12] }
        configuration.webSocketCompressionEnabled = random.below(3) > 0
        configuration.compression.serverNoContextTakeover = Bool.random(using: &random)
        configuration.compression.clientNoContextTakeover = Bool.random(using: &random)
        configuration.compression.serverMaxWindowBits = 9 + random.below(7)
        configuration.compression.clientMaxWindowBits = 9 + random.below(7)
        configuration.compression.level = 1 + random.below(9)
        if Bool.random(using: &random) { configuration.compression.memory = .shared }
        if Bool.random(using: &random) { configuration.compression.threshold = 0 }
        return configuration
    }

    private var description: String {
        "life \(number) at \(url), \(number.isMultiple(of: 2) ? "read" : "listened to"), \(planned) messages, \(ending)"
    }

    func run() async {
        tally.update { $0.lives += 1 }
        let checker = Checker(script: script, planned: planned, tally: tally)
        do {
            if number.isMultiple(of: 2) {
                try await read(checker)
            } else {
                try await listen(checker)
            }
        } catch {
            guard mayBeCut else { return tally.unexpected(description, error) }
            tally.update { $0.cut += 1 }
            return
        }
        if ending == .dropped { tally.update { $0.aborted += 1 } }
        if ending == .closedWhenEchoed { tally.update { $0.lost += checker.lost } }
    }

    /// With a ``Client``, which reads when it likes.
    private func read(_ checker: Checker) async throws {
        let client = try await Client(url, configuration: configuration)
        let (isSlow, random) = (isSlow, random)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var random = random
                while checker.missing > 0 {
                    if isSlow { try await Task.sleep(for: .milliseconds(random.below(20))) }
                    if checker.take(try await client.readMessage()) == .wrong { return }
                }
            }
            try await send(over: client)
            // Those that do not wait for it end the connection under the reader.
            if ending != .closedWhenEchoed { group.cancelAll() }
            do {
                try await group.waitForAll()
            } catch is CancellationError {}
        }
        try await end(client)
    }

    /// With an ``AsyncClient``, whose service gets the messages.
    private func listen(_ checker: Checker) async throws {
        let service = Receiver(checker: checker, isSlow: isSlow)
        let client = try await AsyncClient(url, service: service, configuration: configuration)
        try await send(over: client)
        if ending == .closedWhenEchoed && planned > 0 { for await _ in service.isThrough {} }
        if let error = service.error { throw error }
        try await end(client)
    }

    private func send(over client: some WebSocketClient) async throws {
        var random = random
        for place in 0..<planned {
            switch script.message(place) {
            case .text(let text): try await client.writeTextMessage(text)
            case .binary(let bytes): try await client.writeBinaryMessage(bytes)
            }
            if random.below(7) == 0 { try await client.ping([UInt8](repeating: 7, count: random.below(126))) }
        }
    }

    private func end(_ client: some WebSocketClient) async throws {
        if ending == .dropped { return }
        var random = random
        let code: CloseCode =
            Bool.random(using: &random) ? .normalClosure : CloseCode(UInt16(3000 + random.below(2000)))
        try await client.close(
            statusCode: code, reason: Bool.random(using: &random) ? "genug, assez, 足够" : "")
    }
}
