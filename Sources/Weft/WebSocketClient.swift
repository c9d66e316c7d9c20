/// What ``Client`` and ``AsyncClient`` share: what their ``Caller`` can do, in asynchronous code.
///
/// The forms that never wait are the caller's alone: in the top-level code of a `main.swift` the compiler would
/// prefer them to those that wait.
public protocol WebSocketClient: Sendable {
    /// The connection's caller.
    var caller: Caller { get }
}

extension WebSocketClient {
    /// See ``Caller/connectionID``.
    public var connectionID: String { caller.connectionID }
    /// See ``Caller/negotiatedSubprotocol``.
    public var negotiatedSubprotocol: String? { caller.negotiatedSubprotocol }
    /// See ``Caller/remoteAddress``.
    public var remoteAddress: SocketAddress { caller.remoteAddress }
    /// See ``Caller/localAddress``.
    public var localAddress: SocketAddress { caller.localAddress }
    /// See ``Caller/isSecure``.
    public var isSecure: Bool { caller.isSecure }
    /// See ``Caller/isOpen``.
    public var isOpen: Bool { caller.isOpen }
    /// See ``Caller/compressionNegotiated``.
    public var compressionNegotiated: Bool { caller.compressionNegotiated }
    /// See ``Caller/bufferedAmount``.
    public var bufferedAmount: Int { caller.bufferedAmount }

    /// See ``Caller/setAttribute(_:_:)``.
    public func setAttribute(_ name: String, _ value: any Sendable) { caller.setAttribute(name, value) }
    /// See ``Caller/getAttribute(_:)``.
    public func getAttribute(_ name: String) -> (any Sendable)? { caller.getAttribute(name) }
    /// See ``Caller/removeAttribute(_:)``.
    @discardableResult
    public func removeAttribute(_ name: String) -> (any Sendable)? { caller.removeAttribute(name) }

    /// See ``Caller/writeTextMessage(_:)``.
    public func writeTextMessage(_ text: String) async throws { try await caller.writeTextMessage(text) }
    /// See ``Caller/writeBinaryMessage(_:)``.
    public func writeBinaryMessage(_ data: some Collection<UInt8>) async throws {
        try await caller.writeBinaryMessage(data)
    }
    /// The same for text that is borrowed.
    @available(macOS 26, *)
    public func writeTextMessage(_ text: UTF8Span) throws { try caller.writeTextMessage(text) }
    /// The same for bytes that are borrowed.
    public func writeBinaryMessage(_ data: RawSpan) throws { try caller.writeBinaryMessage(data) }
    /// See ``Caller/ping(_:)``.
    public func ping(_ data: [UInt8] = []) async throws { try await caller.ping(data) }
    /// See ``Caller/pong(_:)``.
    public func pong(_ data: [UInt8] = []) async throws { try await caller.pong(data) }
    /// See ``Caller/close(statusCode:reason:timeout:)``.
    public func close(
        statusCode: CloseCode? = .normalClosure, reason: String? = nil, timeout: Duration? = nil
    ) async throws {
        try await caller.close(statusCode: statusCode, reason: reason, timeout: timeout)
    }
}
