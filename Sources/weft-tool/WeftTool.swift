import ArgumentParser

@main
struct WeftTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft", abstract: "WebSocket server and client.",
        subcommands: [Serve.self, Connect.self])

    /// Without a subcommand there is nothing to do.
    func run() async throws {
        throw Failure(description: "name a command: serve or connect (weft --help tells more)")
    }
}

/// Ends the program with one line on standard error.
struct Failure: Error, CustomStringConvertible {
    let description: String
}
