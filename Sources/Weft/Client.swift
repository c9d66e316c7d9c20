public import HTTPTypes

/// A connection to a server whose messages are read one after the other.
///
/// ```swift
/// let client = try await Client("ws://localhost:21003/ws")
/// try await client.writeTextMessage("hello")
/// print(try await client.readTextMessage())
/// try await client.close()
/// ```
///
/// Pings are answered and close frames handled whether or not somebody reads. Messages wait in a bounded
/// queue; when it is full, the server is held back. Dropping the last reference drops the connection.
public final class Client: WebSocketClient {
    public let caller: Caller
    /// The server's answer to the opening handshake.
    public let httpResponse: HTTPResponse?

    private let inbox: Inbox
    private let readTimeout: Duration?
    private let isHeldBack: @Sendable () -> Bool

    /// Connects.
    ///
    /// - Parameters:
    ///   - url: `ws://host[:port]/path?query`, or `ws+unix:/socket/path[:/path?query]` for a unix domain
    ///     socket, whose path is percent-decoded.
    ///   - configuration: Read once, here.
    /// - Throws: ``WebSocketError`` `.invalidURL`, `.invalidConfiguration`, `.nameResolution`,
    ///   `.connectionRefused`, `.auth`, `.invalidHandshake` (with the server's answer, if there is one),
    ///   `.handshakeTimedOut`, `.connectionLost`; `CancellationError`.
    public init(_ url: String, configuration: ClientConfiguration = .init()) async throws {
        let eventLoop = try (configuration.eventLoops ?? .shared).next()
        try configuration.check()
        let handler = configuration.pingPongHandler
        let answer: PingAnswer = handler == nil ? .library : .sink
        let pings = handler.map { _ in EventQueue() }
        let sink = ReaderSink(pings: pings, makeCaller: configuration.makeCaller)
        let inbox = sink.inbox
        let dialled = try await Dial.open(url, configuration, eventLoop, sink, pings: answer)
        caller = dialled.caller
        httpResponse = dialled.httpResponse
        self.inbox = inbox
        readTimeout = configuration.readTimeout
        isHeldBack = { inbox.isPaused || pings?.isPaused == true }
        guard let handler, let pings else { return }
        pings.serve(PingPongOnly(handler: handler), by: eventLoop, isHeldBack: isHeldBack)
    }

    deinit { caller.handle.abort() }

    /// The next message, which must be text.
    ///
    /// - Throws: ``WebSocketError`` `.unexpectedMessageType` when it is binary, and it stays for the next
    ///   read; `.connectionClosed` or `.connectionLost` when all messages are read and the connection is
    ///   over; `.readTimedOut` after ``ClientConfiguration/readTimeout``, and the next read gets the next message;
    ///   `CancellationError`, and no message is lost.
    public func readTextMessage() async throws -> String {
        guard case .text(let text) = try await read(fits: { if case .text = $0 { true } else { false } })
        else {
            throw WebSocketError(.unexpectedMessageType, "a text message was to be read")
        }
        return text
    }

    /// The next message, which must be binary. Errors as ``readTextMessage()``.
    public func readBinaryMessage() async throws -> [UInt8] {
        guard case .binary(let data) = try await read(fits: { if case .binary = $0 { true } else { false } })
        else {
            throw WebSocketError(.unexpectedMessageType, "a binary message was to be read")
        }
        return data
    }

    /// The next message of either kind. Errors as ``readTextMessage()``.
    public func readMessage() async throws -> Message {
        try await read(fits: { _ in true })
    }

    /// All messages from now on. The sequence ends when the connection is closed with 1000 or 1001 and throws
    /// when it ends in another way.
    public var messages: Messages { Messages(client: self) }

    private func read(fits: (Message) -> Bool) async throws -> Message {
        var deadline: ContinuousClock.Instant?
        while true {
            switch inbox.look(fits) {
            case .taken(let message, let mayResume):
                if mayResume { caller.handle.resumeReading(unless: isHeldBack) }
                return message
            case .unfit(let message):
                let kind = if case .text = message { "text" } else { "binary" }
                throw WebSocketError(.unexpectedMessageType, "the next message is \(kind); read it as that")
            case .ended: throw caller.handle.closedError
            case .empty:
                try Task.checkCancellation()
                if deadline == nil, let readTimeout { deadline = .now + readTimeout }
                let wake = await inbox.waitForNext(deadline.map { $0 - .now })
                try Task.checkCancellation()
                guard wake != .timedOut else {
                    throw WebSocketError(.readTimedOut, "no message came in \(readTimeout!)")
                }
            }
        }
    }

    /// The messages of a ``Client``, in order.
    public struct Messages: AsyncSequence, Sendable {
        let client: Client

        /// Reads from the client; two iterators share its messages.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let client: Client

            public func next() async throws -> Message? {
                do {
                    return try await client.readMessage()
                } catch let error as WebSocketError {
                    let isNormal = error.closeCode == .normalClosure || error.closeCode == .goingAway
                    if isNormal && error.underlying == nil { return nil }
                    throw error
                }
            }
        }

        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(client: client) }
    }
}
