import ArgumentParser
import CWeft

@main
struct WeftTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weft", abstract: "WebSocket server and client.",
        discussion: "Exit code 64 for options that cannot be read, 1 with one line for what else goes wrong.",
        version: WEFT_VERSION,
        subcommands: [Serve.self, Connect.self])

    /// Without a subcommand there is nothing to do.
    func run() async throws {
        throw ValidationError("name a command: serve or connect")
    }
}

/// Ends the program with one line on standard error.
struct Failure: Error, CustomStringConvertible {
    let description: String
}
