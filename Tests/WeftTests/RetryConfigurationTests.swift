import Testing
import Weft

@Suite("RetryConfiguration", .timeLimit(.minutes(2)))
struct RetryConfigurationTests {
    private func quickly(_ maxCount: Int = 0) -> RetryConfiguration {
        RetryConfiguration(maxCount: maxCount, interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
    }

    @Test("The defaults are those promised")
    func defaults() {
        let retry = RetryConfiguration()
        #expect(retry.maxCount == 0)
        #expect(retry.interval == .seconds(1))
        #expect(retry.backOffFactor == 2)
        #expect(retry.maxWaitInterval == .seconds(30))
        #expect(ClientConfiguration().retry == nil)
    }

    @Test("A value out of range throws and names the field")
    func outOfRange() async throws {
        let bad: [(String, RetryConfiguration)] = [
            ("retry.maxCount", RetryConfiguration(maxCount: -1)),
            ("retry.interval", RetryConfiguration(interval: .zero)),
            ("retry.backOffFactor", RetryConfiguration(backOffFactor: 0.9)),
            ("retry.backOffFactor", RetryConfiguration(backOffFactor: .nan)),
            ("retry.maxWaitInterval", RetryConfiguration(maxWaitInterval: .seconds(-1))),
        ]
        for (field, retry) in bad {
            var configuration = ClientConfiguration()
            configuration.retry = retry
            let error = try await failure(WebSocketError.self) { [configuration] in
                _ = try await Client("ws://127.0.0.1:1/", configuration: configuration)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains(field))
        }
    }

    @Test("retry: RetryConfiguration?: the first connect is tried again until the server has room")
    func busyServer() async throws {
        var crowded = ListenerConfiguration.local
        crowded.maxConnections = 1
        try await serve(Echo(), on: crowded) { listener in
            let log = LogChannel()
            var configuration = ClientConfiguration()
            configuration.retry = quickly()
            configuration.logger = log.logger
            let first = try await Client(listener.url())
            let connecting = Task { [configuration] in
                try await Client(listener.url(), configuration: configuration)
            }
            let line = try await log.lines.next()
            #expect(line.hasPrefix("warning: attempt 1 to connect failed"))
            #expect(line.contains("503"))
            try await first.close()
            let second = try await connecting.value
            try await second.writeTextMessage("here at last")
            #expect(try await second.readTextMessage() == "here at last")
            #expect(second.httpResponse?.status == .switchingProtocols)
            try await second.close()
        }
    }

    @Test("retry: RetryConfiguration?: a server that starts two seconds after the client is reached")
    func lateServer() async throws {
        let (reserved, log) = (try ReservedPort(), LogChannel())
        var configuration = ClientConfiguration()
        configuration.retry = RetryConfiguration(
            interval: .milliseconds(50), maxWaitInterval: .milliseconds(200))
        configuration.logger = log.logger
        let start = ContinuousClock.now
        let connecting = Task { [configuration] in
            try await Client(reserved.url(), configuration: configuration)
        }
        while .now - start < .seconds(2) { #expect(try await log.lines.next().contains("refused")) }
        try await serve(Echo(), at: reserved.port) { _ in
            let client = try await connecting.value
            try await client.writeTextMessage("there you are")
            #expect(try await client.readTextMessage() == "there you are")
            try await client.close()
        }
    }

    @Test("retry: RetryConfiguration?: maxCount attempts after the first, then the last one's error")
    func givesUp() async throws {
        let port = 1  // where nobody listens and no other test can
        let log = LogChannel()
        var configuration = ClientConfiguration()
        configuration.retry = quickly(2)
        configuration.logger = log.logger
        let error = try await failure(WebSocketError.self) { [configuration] in
            _ = try await Client("ws://127.0.0.1:\(port)/", configuration: configuration)
        }
        #expect(error.code == .connectionRefused)
        #expect(try await log.lines.next().contains("attempt 1 "))
        #expect(try await log.lines.next().contains("attempt 2 "))
    }

    @Test("retry: RetryConfiguration?: an answer for good is not tried again")
    func finalAnswers() async throws {
        try await withListener(attach: nothing) { listener in
            let log = LogChannel()
            var configuration = ClientConfiguration()
            configuration.retry = quickly(1)
            configuration.logger = log.logger
            let error = try await failure(WebSocketError.self) { [configuration] in
                _ = try await Client(listener.url(), configuration: configuration)
            }
            #expect(error.httpResponse?.status == .notFound)
            log.logger.info("nothing before this")
            #expect(try await log.lines.next().contains("nothing before this"))
        }
    }

    @Test("retry: RetryConfiguration?: cancelling the task ends the wait at once")
    func cancellation() async throws {
        let port = 1  // where nobody listens and no other test can
        let log = LogChannel()
        var configuration = ClientConfiguration()
        configuration.retry = RetryConfiguration(
            interval: .seconds(100_000), maxWaitInterval: .seconds(100_000))
        configuration.logger = log.logger
        let connecting = Task { [configuration] in
            try await Client("ws://127.0.0.1:\(port)/", configuration: configuration)
        }
        _ = try await log.lines.next()
        connecting.cancel()
        await #expect(throws: CancellationError.self) { try await connecting.value }
    }

    @Test("handShakeTimeout: each attempt has it whole")
    func timeoutOfEachAttempt() async throws {
        let silent = try RawServer()
        let log = LogChannel()
        var configuration = ClientConfiguration()
        configuration.handShakeTimeout = .milliseconds(50)
        configuration.retry = quickly(1)
        configuration.logger = log.logger
        let error = try await failure(WebSocketError.self) { [configuration] in
            _ = try await Client(silent.url, configuration: configuration)
        }
        #expect(error.code == .handshakeTimedOut)
        #expect(try await log.lines.next().contains("attempt 1 "))
    }
}
