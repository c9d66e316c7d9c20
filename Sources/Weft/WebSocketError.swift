public import HTTPTypes

/// What went wrong, as a code for programs and a sentence for people.
///
/// ```swift
/// do {
///     try await caller.writeTextMessage("hello")
/// } catch let error as WebSocketError where error.code == .connectionClosed {
///     print(error.message)
/// }
/// ```
public struct WebSocketError: Error, Sendable, CustomStringConvertible {
    /// The kinds of error. Later versions add some, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The name of the code, such as `invalidURL`.
        public let description: String

        init(_ name: String) { description = name }

        /// The URL is not a usable WebSocket URL (RFC 6455 §3).
        public static let invalidURL = Code("invalidURL")
        /// A setting or an argument is out of its range.
        public static let invalidConfiguration = Code("invalidConfiguration")
        /// The path has a service already.
        public static let duplicatePath = Code("duplicatePath")
        /// No such service is attached.
        public static let notAttached = Code("notAttached")
        /// The address to listen on is taken, forbidden or not of this machine.
        public static let addressUnavailable = Code("addressUnavailable")
        /// The opening handshake was refused, or its answer breaks RFC 6455 §4.
        public static let invalidHandshake = Code("invalidHandshake")
        /// The connection was not open in time.
        public static let handshakeTimedOut = Code("handshakeTimedOut")
        /// No message came within `readTimeout`; the connection is as good as before.
        public static let readTimedOut = Code("readTimedOut")
        /// The peer did not read for `writeTimeout`; what was written is still queued.
        public static let writeTimedOut = Code("writeTimedOut")
        /// The closing handshake was not complete in time; TCP has been dropped.
        public static let closeTimedOut = Code("closeTimedOut")
        /// Nobody listens at the server's address.
        public static let connectionRefused = Code("connectionRefused")
        /// The connection ended without a close frame.
        public static let connectionLost = Code("connectionLost")
        /// The server's name has no address.
        public static let nameResolution = Code("nameResolution")
        /// The connection is closed or closing.
        public static let connectionClosed = Code("connectionClosed")
        /// The peer broke RFC 6455: close code 1002.
        public static let protocolViolation = Code("protocolViolation")
        /// A continuation frame is out of place (RFC 6455 §5.4): close code 1002.
        public static let invalidContinuation = Code("invalidContinuation")
        /// A control frame has more than 125 bytes (RFC 6455 §5.5).
        public static let controlFrameTooLong = Code("controlFrameTooLong")
        /// Text is not UTF-8: close code 1007.
        public static let invalidPayload = Code("invalidPayload")
        /// A frame or a message is over its limit: close code 1009.
        public static let payloadTooLarge = Code("payloadTooLarge")
        /// TLS failed: a file of ``ListenerConfiguration/secureSocket`` or ``ClientConfiguration/secureSocket``, the
        /// peer's certificate, the handshake or a record.
        public static let ssl = Code("ssl")
        /// A client cannot say who it is: what ``Credentials``, a ``BearerToken``, a ``JWTIssuer`` or a grant of OAuth 2.0
        /// was made of, what a token server answered, or
        /// what ``ClientConfiguration/auth`` did when it was asked. A server that does not like what it was told
        /// is `.invalidHandshake` instead.
        public static let auth = Code("auth")
        /// The next message is of the other kind; it waits for the right read.
        public static let unexpectedMessageType = Code("unexpectedMessageType")
        /// The send queue is full; nothing of the message was sent.
        public static let backpressure = Code("backpressure")
        /// A service callback threw: close code 1011.
        public static let callbackFailed = Code("callbackFailed")
        /// The operating system refused, or memory ran out.
        public static let system = Code("system")
        /// The call does not fit the state of its object, such as a second `start()`.
        public static let invalidState = Code("invalidState")
    }

    /// The kind of the error.
    public var code: Code

    /// One sentence: what happened, to what, and what to do where that is known.
    public var message: String

    /// The error below this one, if there is one.
    public var underlying: (any Error)?

    /// The close code of the connection, where the error is about its end.
    public var closeCode: CloseCode?

    /// What the close frame said beside its code, where the error is about the end of a connection that had a
    /// closing handshake; empty when it said nothing.
    public var closeReason: String?

    /// The server's answer, where it refused the opening handshake; with `.auth` status and `Retry-After` of the token
    /// server that refused.
    public var httpResponse: HTTPResponse?

    /// Up to 8 KiB of the body of ``httpResponse``.
    public var httpResponseBody: [UInt8]

    /// An error of the given kind.
    public init(
        _ code: Code, _ message: String, underlying: (any Error)? = nil, closeCode: CloseCode? = nil,
        closeReason: String? = nil, httpResponse: HTTPResponse? = nil, httpResponseBody: [UInt8] = []
    ) {
        self.code = code
        self.message = message
        self.underlying = underlying
        self.closeCode = closeCode
        self.closeReason = closeReason
        self.httpResponse = httpResponse
        self.httpResponseBody = httpResponseBody
    }

    /// The code and the sentence.
    public var description: String { "\(code): \(message)" }
}
