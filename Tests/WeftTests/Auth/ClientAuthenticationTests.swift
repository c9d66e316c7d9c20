import HTTPTypes
import Synchronization
import Testing
import Weft

/// Answers as told, and counts.
private final class Authenticator: ClientAuthentication {
    let count = Mutex(0)
    let discarded = Mutex<[String]>([])
    private let answer: @Sendable (Int) async throws -> String

    /// The closure gets the number of the question, from 1.
    init(_ answer: @escaping @Sendable (Int) async throws -> String) { self.answer = answer }

    func authorization() async throws -> String {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return try await answer(number)
    }

    func discard(_ authorization: String) { discarded.withLock { $0.append(authorization) } }
}

@Suite("ClientAuthentication", .timeLimit(.minutes(2)))
struct ClientAuthenticationTests {
    private func configuration(_ auth: any ClientAuthentication) -> ClientConfiguration {
        var configuration = ClientConfiguration()
        configuration.auth = auth
        return configuration
    }

    private func refusal(_ configuration: ClientConfiguration, _ url: String) async throws -> [WebSocketError]
    {
        let connects: [() async throws -> Void] = [
            { _ = try await Client(url, configuration: configuration) },
            { _ = try await AsyncClient(url, configuration: configuration) },
        ]
        var errors: [WebSocketError] = []
        for connect in connects { errors.append(try await failure(WebSocketError.self, connect)) }
        return errors
    }

    /// Serves an echo, and tells the `Authorization` of each request.
    private func withEcho(_ talk: (Listener, Channel<String?>) async throws -> Void) async throws {
        let asked = Channel<String?>()
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { request in
                asked.send(request.head.headerFields[.authorization])
                return Upgrade(Echo())
            }
        }
        try await withListener(attach: attach) { try await talk($0, asked) }
    }

    @Test("auth: (any ClientAuthentication)?: each kind of client sends the field once")
    func field() async throws {
        try await withEcho { listener, asked in
            let basic = configuration(try Credentials(username: "Aladdin", password: "open sesame"))
            let bearer = configuration(try BearerToken("2YotnFZFEjr1zCsicMWpAA"))
            let client = try await Client(listener.url(), configuration: basic)
            #expect(try await asked.next() == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
            try await client.writeTextMessage("hello")
            #expect(try await client.readTextMessage() == "hello")
            let other = try await AsyncClient(listener.url(), service: Echo(), configuration: bearer)
            #expect(try await asked.next() == "Bearer 2YotnFZFEjr1zCsicMWpAA")
            let third = try await AsyncClient(
                listener.url(), service: InlineRecorder(), configuration: bearer)
            #expect(try await asked.next() == "Bearer 2YotnFZFEjr1zCsicMWpAA")
            try await third.close()
            try await other.close()
            try await client.close()
        }
    }

    @Test(
        "auth: an Authorization field in customHeaders beside it is an error that names both; nobody is asked"
    )
    func twoSources() async throws {
        let auth = Authenticator { _ in "Bearer a" }
        var both = configuration(auth)
        both.customHeaders[.authorization] = "Bearer secret"
        for error in try await refusal(both, "ws://127.0.0.1:1/") {
            #expect(error.code == .invalidConfiguration)
            #expect(error.message == "auth: customHeaders has an Authorization field already")
        }
        var bad = configuration(auth)
        bad.maxMessageSize = 0
        for error in try await refusal(bad, "ws://127.0.0.1:1/") {
            #expect(error.message.hasPrefix("maxMessageSize"))
        }
        #expect(auth.count.withLock { $0 } == 0)
    }

    @Test("auth: whatever authorization() throws is auth, with the cause below, and nothing is dialled")
    func failures() async throws {
        let own = WebSocketError(.auth, "https://login.example/token: 401", underlying: Mishap())
        for error in try await refusal(
            configuration(Authenticator { _ in throw Mishap() }), "ws://host.invalid/")
        {
            #expect(error.code == .auth && error.underlying is Mishap)
            #expect(error.message.contains("\(Mishap())"))
        }
        for error in try await refusal(configuration(Authenticator { _ in throw own }), "ws://host.invalid/")
        {
            #expect(error.code == .auth && error.underlying is Mishap && error.message == own.message)
        }
    }

    @Test(
        "auth: a value that is no field value is auth, and is not told",
        arguments: ["", "Bearer secret\r\nX: y", "Bearer sécret", "secret\0", " secret", "secret "])
    func badValues(value: String) async throws {
        for error in try await refusal(configuration(Authenticator { _ in value }), "ws://host.invalid/") {
            #expect(error.code == .auth && !error.message.contains("cret"))
        }
    }

    @Test("handShakeTimeout: bounds the authorization too, also one that takes no notice of it")
    func timeout() async throws {
        let (gate, over) = (Gate(), Channel<Bool>())
        let auth = Authenticator { _ in
            await withCheckedContinuation { continuation in
                Task {
                    await gate.pass()
                    continuation.resume()
                }
            }
            over.send(Task.isCancelled)
            return "Bearer a"
        }
        var hasty = configuration(auth)
        hasty.handShakeTimeout = .milliseconds(30)
        let error = try await failure(WebSocketError.self) { [hasty] in
            _ = try await Client("ws://host.invalid/", configuration: hasty)
        }
        #expect(error.code == .handshakeTimedOut)
        #expect(error.message.contains("authorization was not there after 0.03 s"))
        gate.open()
        #expect(try await over.next())
    }

    @Test("handShakeTimeout: is that of the whole attempt, and named so, behind an authorization")
    func sharedTimeout() async throws {
        let server = try RawServer()
        var hasty = configuration(Authenticator { _ in "Bearer a" })
        hasty.handShakeTimeout = .milliseconds(300)
        let error = try await failure(WebSocketError.self) { [hasty] in
            _ = try await Client(server.url, configuration: hasty)
        }
        #expect(error.code == .handshakeTimedOut)
        #expect(error.message.hasSuffix("after 0.3 s"))
    }

    @Test("auth: cancelling the connecting task ends the authorization, also one that takes no notice")
    func cancellation() async throws {
        let (isAsked, gate, over) = (Channel<Void>(), Gate(), Channel<Bool>())
        let auth = Authenticator { _ in
            isAsked.send(())
            await withCheckedContinuation { continuation in
                Task {
                    await gate.pass()
                    continuation.resume()
                }
            }
            over.send(Task.isCancelled)
            return "Bearer a"
        }
        let connecting = Task { [configuration = configuration(auth)] in
            _ = try await Client("ws://host.invalid/", configuration: configuration)
        }
        try await isAsked.next()
        connecting.cancel()
        await #expect(throws: CancellationError.self) { try await connecting.value }
        gate.open()
        #expect(try await over.next())
    }

    @Test("auth: a task that is cancelled already gets no answer")
    func cancelledBefore() async throws {
        let gate = Gate()
        let auth = Authenticator { _ in
            await gate.pass()
            return "Bearer a"
        }
        let mayGo = Gate()
        let connecting = Task { [configuration = configuration(auth)] in
            await mayGo.pass()
            _ = try await Client("ws://host.invalid/", configuration: configuration)
        }
        connecting.cancel()
        mayGo.open()
        await #expect(throws: CancellationError.self) { try await connecting.value }
        gate.open()
    }

    @Test("auth: each attempt of retry asks anew")
    func attempts() async throws {
        let server = try RawServer()
        var patient = configuration(Authenticator { "Bearer \($0)" })
        patient.retry = RetryConfiguration(
            maxCount: 2, interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
        let log = LogChannel()
        patient.logger = log.logger
        let connecting = Task { [patient] in try await Client(server.url, configuration: patient) }
        for number in 1...2 {
            let peer = try await server.accept()
            #expect(try await peer.readHead().contains("Authorization: Bearer \(number)\r\n"))
            try await peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            let line = try await log.lines.next()
            #expect(line.hasPrefix("warning: attempt \(number) to connect failed, the next one follows in "))
            #expect(line.contains("503") && !line.contains("Bearer"))
        }
        let peer = try await server.accept()
        #expect(try await peer.readHead().contains("Authorization: Bearer 3\r\n"))
        try await peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        let error = try await failure(WebSocketError.self) { _ = try await connecting.value }
        #expect(error.code == .invalidHandshake && error.httpResponse?.status == .serviceUnavailable)
    }

    @Test("auth: Retry-After is the shortest wait, up to maxWaitInterval, also here")
    func retryAfter() async throws {
        for (field, waits) in [
            ("Retry-After: 7", "7.0 seconds"), ("Retry-After: 999999999", "1000.0 seconds"),
        ] {
            let server = try RawServer()
            var patient = configuration(Authenticator { _ in "Bearer a" })
            patient.retry = RetryConfiguration(interval: .milliseconds(1), maxWaitInterval: .seconds(1000))
            let log = LogChannel()
            patient.logger = log.logger
            let connecting = Task { [patient] in try await Client(server.url, configuration: patient) }
            let peer = try await server.accept()
            _ = try await peer.readHead()
            try await peer.send("HTTP/1.1 429 Slowly\r\n\(field)\r\nContent-Length: 0\r\n\r\n")
            #expect(try await log.lines.next().contains("follows in \(waits): "))
            connecting.cancel()
            _ = await connecting.result
        }
    }

    @Test("auth: a server that is away is tried again, and one that is not there in time")
    func awayServer() async throws {
        let reserved = try ReservedPort()
        let log = LogChannel()
        var patient = configuration(Authenticator { "Bearer \($0)" })
        patient.retry = RetryConfiguration(interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
        patient.logger = log.logger
        let connecting = Task { [patient] in try await Client(reserved.url(), configuration: patient) }
        #expect(try await log.lines.next().hasPrefix("warning: attempt 1 to connect failed"))
        try await serve(Echo(), at: reserved.port) { _ in
            let client = try await connecting.value
            try await client.close()
        }
    }

    @Test("auth: a refusal that is final, such as 401, is not tried again")
    func finalRefusal() async throws {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in throw AuthenticationError("who?") }
        }
        try await withListener(attach: attach) { listener in
            let auth = Authenticator { _ in "Bearer a" }
            var patient = configuration(auth)
            patient.retry = RetryConfiguration(interval: .milliseconds(1))
            for error in try await refusal(patient, listener.url()) {
                #expect(error.code == .invalidHandshake && error.httpResponse?.status == .unauthorized)
            }
            #expect(auth.count.withLock { $0 } == 2)
        }
    }

    @Test("auth: discard is told what the server answered with 401, first of all, and nothing else")
    func discardedValues() async throws {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { request -> Upgrade in
                switch request.head.headerFields[.authorization] {
                case "Bearer 1": throw UpgradeError(status: .serviceUnavailable)
                case "Bearer 2": throw AuthenticationError("who?")
                case "Bearer 3": throw AuthorizationError("not you")
                default: return Upgrade(Echo())
                }
            }
        }
        try await withListener(attach: attach) { listener in
            let auth = Authenticator { number in
                if number == 4 {
                    let answer = HTTPResponse(status: .unauthorized)
                    throw WebSocketError(.auth, "no token", httpResponse: answer)
                }
                return "Bearer \(number)"
            }
            var patient = configuration(auth)
            patient.retry = RetryConfiguration(interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
            for _ in 0..<3 {
                _ = try await failure(WebSocketError.self) { [patient] in
                    _ = try await Client(listener.url(), configuration: patient)
                }
                #expect(auth.discarded.withLock { $0 } == ["Bearer 2"])
            }
            let client = try await Client(listener.url(), configuration: patient)
            try await client.close()
            #expect(auth.discarded.withLock { $0 } == ["Bearer 2"])
        }
    }

    @Test("auth: with retry, a failure below which the network was at fault is tried again, others are not")
    func passingFailures() async throws {
        try await withEcho { listener, asked in
            let auth = Authenticator { number in
                switch number {
                case 1: throw WebSocketError(.connectionRefused, "nobody there")
                case 2:
                    let below = WebSocketError(.nameResolution, "no address")
                    throw WebSocketError(.auth, "no token", underlying: below)
                default: return "Bearer \(number)"
                }
            }
            var patient = configuration(auth)
            patient.retry = RetryConfiguration(interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
            let client = try await Client(listener.url(), configuration: patient)
            #expect(try await asked.next() == "Bearer 3")
            try await client.close()
            let hopeless = Authenticator { _ in throw WebSocketError(.auth, "wrong password") }
            patient.auth = hopeless
            for error in try await refusal(patient, listener.url()) {
                #expect(error.message == "wrong password")
            }
            #expect(hopeless.count.withLock { $0 } == 2)
            patient.auth = Authenticator { _ in throw WebSocketError(.connectionRefused, "nobody there") }
            patient.retry?.maxCount = 2
            for error in try await refusal(patient, listener.url()) {
                #expect(error.code == .auth)
                #expect((error.underlying as? WebSocketError)?.code == .connectionRefused)
            }
        }
    }

    @Test("auth: cancelling the connecting task ends the wait for the next attempt")
    func cancelledWait() async throws {
        var patient = configuration(Authenticator { _ in "Bearer a" })
        patient.retry = RetryConfiguration(interval: .seconds(1000), maxWaitInterval: .seconds(1000))
        let log = LogChannel()
        patient.logger = log.logger
        let connecting = Task { [patient] in try await Client("ws://127.0.0.1:1/", configuration: patient) }
        _ = try await log.lines.next()
        connecting.cancel()
        await #expect(throws: CancellationError.self) { _ = try await connecting.value }
    }

    @Test("auth: an AsyncClient that comes back asks anew, and onError hears of a failure")
    func reconnection() async throws {
        let asked = Channel<String?>()
        let there = Recorder { caller, event in
            if event == .open { try await caller.close(statusCode: .goingAway) }
        }
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { request in
                asked.send(request.head.headerFields[.authorization])
                return Upgrade(there)
            }
        }
        try await withListener(attach: attach) { listener in
            let here = Recorder()
            var patient = configuration(
                Authenticator { number in
                    if number == 3 { throw Mishap() }
                    return "Bearer \(number)"
                })
            patient.retry = RetryConfiguration(interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
            let client = try await AsyncClient(listener.url(), service: here, configuration: patient)
            #expect(try await asked.next() == "Bearer 1")
            #expect(try await asked.next() == "Bearer 2")
            let opened: [Event] = [.open, .close(.goingAway, "")]
            #expect(try await here.next(5) == opened + opened + [.error(.auth)])
            withExtendedLifetime(client) {}
        }
    }

    @Test("auth: pings go to the pingPongHandler of a client that says who it is")
    func pings() async throws {
        let server = try RawServer()
        let handler = PingRecorder()
        var with = configuration(try BearerToken("a"))
        with.pingPongHandler = handler
        let connecting = Task { [with] in try await Client(server.url, configuration: with) }
        let peer = try await server.accept()
        try await peer.answerUpgrade(then: [0x89, 1, 7])
        let client = try await connecting.value
        #expect(try await handler.pings.next() == [7])
        withExtendedLifetime(client) {}
    }
}

private struct PingRecorder: PingPongService {
    let pings = Channel<[UInt8]>()

    func onPing(_ caller: Caller, _ data: [UInt8]) async throws { pings.send(data) }
}
