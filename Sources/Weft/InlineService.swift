/// What happens on a connection, as plain callbacks on its event loop: the fast path for code that never
/// blocks.
///
/// The callbacks are those of ``Service`` without `async`. For each kind of message implement one of the two:
/// the one that gets a `String` or an array, or the one that borrows the message from the receive buffer and
/// copies nothing.
///
/// ```swift
/// struct Echo: InlineService {
///     func onTextMessage(_ caller: Caller, _ text: UTF8Span) throws {
///         try caller.writeTextMessage(text)
///     }
/// }
/// ```
public protocol InlineService: Sendable {
    /// The connection is open.
    func onOpen(_ caller: Caller) throws
    /// A whole text message.
    func onTextMessage(_ caller: Caller, _ text: String) throws
    /// A whole text message, borrowed until return. By default it is copied for the `String` form.
    @available(macOS 26, *)
    func onTextMessage(_ caller: Caller, _ text: UTF8Span) throws
    /// A whole binary message.
    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) throws
    /// A whole binary message, borrowed until return. By default it is copied for the array form.
    func onBinaryMessage(_ caller: Caller, _ data: RawSpan) throws
    /// A ping. By default it is answered with a pong of the same payload (RFC 6455 §5.5.2).
    func onPing(_ caller: Caller, _ data: [UInt8]) throws
    /// A pong.
    func onPong(_ caller: Caller, _ data: [UInt8]) throws
    /// No frame was read and none written for the configured `idleTimeout`; comes again each period.
    func onIdleTimeout(_ caller: Caller) throws
    /// The connection is closed; see ``Service/onClose(_:_:_:)``.
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) throws
    /// A violation, a timeout, an I/O error, or what a callback threw. By default the error is logged.
    func onError(_ caller: Caller, _ error: any Error)
}

extension InlineService {
    public func onOpen(_ caller: Caller) throws {}
    public func onTextMessage(_ caller: Caller, _ text: String) throws {}
    @available(macOS 26, *)
    public func onTextMessage(_ caller: Caller, _ text: UTF8Span) throws {
        try onTextMessage(caller, String(copying: text))
    }
    public func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) throws {}
    public func onBinaryMessage(_ caller: Caller, _ data: RawSpan) throws {
        try onBinaryMessage(caller, data.withUnsafeBytes { [UInt8]($0) })
    }
    public func onPing(_ caller: Caller, _ data: [UInt8]) throws { try caller.answerPing(data) }
    public func onPong(_ caller: Caller, _ data: [UInt8]) throws {}
    public func onIdleTimeout(_ caller: Caller) throws {}
    public func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) throws {}
    public func onError(_ caller: Caller, _ error: any Error) { caller.log(error) }
}
