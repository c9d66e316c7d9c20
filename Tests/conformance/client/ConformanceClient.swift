import Weft

/// A client for the Autobahn suite's server: runs one case after the other, sending every message back.
@main
struct ConformanceClient {
    /// The suite's longest message, in bytes.
    static let longestMessage = 16 << 20

    static func main() async throws {
        guard CommandLine.arguments.count == 3 else {
            fatalError("usage: weft-conformance-client ws://HOST:PORT AGENT")
        }
        let (server, agent) = (CommandLine.arguments[1], CommandLine.arguments[2])
        let count = Int(try await Client("\(server)/getCaseCount").readTextMessage()) ?? 0
        for number in 1...count { try await stay("\(server)/runCase?case=\(number)&agent=\(agent)") }
        try await stay("\(server)/updateReports?agent=\(agent)")
    }

    /// Connects and waits for the end.
    private static func stay(_ url: String) async throws {
        var configuration = ClientConfiguration()
        configuration.maxFrameSize = longestMessage
        configuration.maxMessageSize = longestMessage
        let echo = Echo()
        let client = try await AsyncClient(url, service: echo, configuration: configuration)
        await echo.end()
        withExtendedLifetime(client) {}
    }
}

/// Sends every message back.
private struct Echo: Service {
    private let ending: AsyncStream<Never>
    private let teller: AsyncStream<Never>.Continuation

    init() { (ending, teller) = AsyncStream.makeStream() }

    /// Returns when the connection is closed.
    func end() async { for await _ in ending {} }

    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await caller.writeTextMessage(text)
    }

    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {
        try await caller.writeBinaryMessage(data)
    }

    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws { teller.finish() }

    /// Violations are what the suite is made of.
    func onError(_ caller: Caller, _ error: any Error) async {}
}
