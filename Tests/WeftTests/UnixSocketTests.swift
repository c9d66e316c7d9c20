import Foundation
import Testing
import Weft

@Suite("Unix domain sockets", .timeLimit(.minutes(2)))
struct UnixSocketTests {
    /// Runs the body with the path of a file that is not there.
    private func withPath(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "weft-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder + "/socket")
    }

    @Test("retry: a server that starts late is reached")
    func lateServer() async throws {
        try await withPath { path in
            let log = LogChannel()
            var configuration = ClientConfiguration()
            configuration.retry = RetryConfiguration(
                interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
            configuration.logger = log.logger
            let connecting = Task { [configuration] in
                try await Client("ws+unix:\(path):/ws", configuration: configuration)
            }
            for attempt in 1...3 {
                let line = try await log.lines.next()
                #expect(line.hasPrefix("warning: attempt \(attempt) to connect failed"))
            }
            let late = try listener(path)
            try await late.start()
            let client = try await connecting.value
            try await client.writeTextMessage("there you are")
            #expect(try await client.readTextMessage() == "there you are")
            try await late.immediateStop()
        }
    }

    private func listener(_ path: String, threads: Int = 1) throws -> Listener {
        var configuration = ListenerConfiguration()
        configuration.threads = threads
        let listener = try Listener(unixDomainSocketPath: path, configuration: configuration)
        try listener.attach(at: "/ws") { _ in Echo() }
        return listener
    }

    @Test(
        "init(unixDomainSocketPath:configuration:): clients of ws+unix: URLs are served from every thread",
        arguments: [1, 3])
    func served(threads: Int) async throws {
        try await withPath { path in
            let listener = try listener(path, threads: threads)
            try await listener.start()
            #expect(listener.localAddress == SocketAddress(host: path, port: 0))
            for round in 0..<8 {
                let client = try await Client("ws+unix:\(path):/ws")
                try await client.writeTextMessage("round \(round)")
                #expect(try await client.readTextMessage() == "round \(round)")
                #expect(client.remoteAddress == SocketAddress(host: "", port: 0))
                try await client.close()
            }
            try await listener.gracefulStop()
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("init(unixDomainSocketPath:configuration:): a socket in use, or another file, is named and stays")
    func occupied() async throws {
        try await withPath { path in
            let first = try listener(path)
            try await first.start()
            let second = try listener(path)
            let inUse = try await failure(WebSocketError.self) { try await second.start() }
            #expect(inUse.code == .addressUnavailable)
            #expect(inUse.message == "cannot listen on \(path): address in use")
            try await Client("ws+unix:\(path):/ws").close()
            try await first.immediateStop()
            try "precious".write(toFile: path, atomically: false, encoding: .utf8)
            let third = try listener(path)
            let noSocket = try await failure(WebSocketError.self) { try await third.start() }
            #expect(noSocket.code == .addressUnavailable)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        }
    }

    @Test("init(unixDomainSocketPath:configuration:): a path that no socket can have throws at once")
    func badPaths() throws {
        for path in ["", "/tmp/" + String(repeating: "x", count: 200), "/tmp/a\0b"] {
            let error = try #require(
                throws: WebSocketError.self, performing: { _ = try Listener(unixDomainSocketPath: path) })
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains("unixDomainSocketPath"))
        }
    }

    @Test("URL: a ws+unix one whose socket nobody serves is connectionRefused; a path too long is invalidURL")
    func unreachable() async throws {
        try await withPath { path in
            let refused = try await failure(WebSocketError.self) { _ = try await Client("ws+unix:\(path)") }
            #expect(refused.code == .connectionRefused)
            #expect(refused.message.contains(path))
            let long = "ws+unix:/" + String(repeating: "x", count: 200)
            let invalid = try await failure(WebSocketError.self) { _ = try await Client(long) }
            #expect(invalid.code == .invalidURL)
        }
    }
}
