import Foundation
import Logging
import Weft

/// A server for those it knows: users with passwords, holders of tokens, devices with certificates.
@main
struct IdentityServer {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else {
            FileHandle.standardError.write(Data("usage: identity-server SETTINGS.json\n".utf8))
            exit(2)
        }
        let stop = try stopSignal()
        let settings = try Settings(file: CommandLine.arguments[1])
        let listener = try listener(settings)
        try listener.attach(try await doorkeeper(settings), at: "/ws")
        try await listener.start()
        let line = "identity-server: listening on wss://localhost:\(listener.localAddress?.port ?? 0)/ws\n"
        FileHandle.standardOutput.write(Data(line.utf8))
        for await _ in stop {}
        try await listener.gracefulStop(timeout: .seconds(5))
    }

    private static func listener(_ settings: Settings) throws -> Listener {
        var secureSocket = ListenerSecureSocket(
            key: .certificate(certFile: settings.certFile, keyFile: settings.keyFile))
        secureSocket.mutualSsl = MutualSsl(.file(settings.deviceAuthorityFile), verifyClient: .optional)
        var configuration = ListenerConfiguration()
        configuration.secureSocket = secureSocket
        configuration.logger = Logger(label: "identity-server")
        return try Listener(port: settings.port, configuration: configuration)
    }

    private static func doorkeeper(_ settings: Settings) async throws -> Doorkeeper {
        var configuration = ServiceConfiguration()
        configuration.allowedOrigins = .list(settings.origins)
        return Doorkeeper(
            passwords: try Passwords(settings.users), tokens: try await Tokens(settings.tokens),
            devices: Devices(names: settings.devices), logger: Logger(label: "identity-server"),
            configuration: configuration)
    }

    /// Ends at SIGINT or SIGTERM.
    private static func stopSignal() throws -> AsyncStream<Void> {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw SettingsError("no descriptors for a pipe") }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let readingEnd = ends[0]
        stopPipe = ends[1]
        Thread.detachNewThread {
            var byte: UInt8 = 0
            _ = read(readingEnd, &byte, 1)
            continuation.finish()
        }
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                var byte: UInt8 = 0
                _ = write(stopPipe, &byte, 1)
            }
        }
        return stream
    }
}

/// Where the handler of signals writes. Set before the handler is, and never again: no two threads meet here.
private nonisolated(unsafe) var stopPipe: CInt = -1
