/// What happens on a connection, as asynchronous callbacks.
///
/// Callbacks of one connection come one at a time and in the order of arrival: ``onOpen(_:)`` first,
/// ``onClose(_:_:_:)`` exactly once and last. Those of different connections run concurrently. They start on
/// the connection's event loop unless ``ServiceConfiguration/dispatch`` says otherwise, so one that computes for
/// long should hop elsewhere. While callbacks lag, the connection is not read.
///
/// A callback that throws ends its connection with close code 1011: ``onError(_:_:)`` gets the error.
///
/// ```swift
/// struct Echo: Service {
///     func onTextMessage(_ caller: Caller, _ text: String) async throws {
///         try await caller.writeTextMessage(text)
///     }
/// }
/// ```
public protocol Service: Sendable {
    /// The connection is open; awaited before any message.
    func onOpen(_ caller: Caller) async throws
    /// A whole text message.
    func onTextMessage(_ caller: Caller, _ text: String) async throws
    /// A whole binary message.
    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws
    /// A ping. By default it is answered with a pong of the same payload (RFC 6455 §5.5.2).
    func onPing(_ caller: Caller, _ data: [UInt8]) async throws
    /// A pong.
    func onPong(_ caller: Caller, _ data: [UInt8]) async throws
    /// No frame was read and none written for the configured `idleTimeout`; comes again each period.
    func onIdleTimeout(_ caller: Caller) async throws
    /// The connection is closed: the peer's code, 1005 without one, 1006 without a close frame, or, after a
    /// violation, the code that was sent. The peer's close frame is answered when this returns, or after 5 s.
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws
    /// A violation, a timeout, an I/O error, or what a callback threw. Messages that came before a violation are
    /// handled first, and can be answered for five seconds. Then the close frame that is due is sent, and this is
    /// called; `onClose` follows. By default the error is logged.
    func onError(_ caller: Caller, _ error: any Error) async
}

extension Service {
    public func onOpen(_ caller: Caller) async throws {}
    public func onTextMessage(_ caller: Caller, _ text: String) async throws {}
    public func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {}
    public func onPing(_ caller: Caller, _ data: [UInt8]) async throws { try caller.answerPing(data) }
    public func onPong(_ caller: Caller, _ data: [UInt8]) async throws {}
    public func onIdleTimeout(_ caller: Caller) async throws {}
    public func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws {}
    public func onError(_ caller: Caller, _ error: any Error) async { caller.log(error) }
}
