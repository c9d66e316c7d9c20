import Logging

/// The other end of a connection, handed to every callback of a service.
///
/// A caller may be used from any task or thread. It stays valid after the close: then writes throw
/// `.connectionClosed`, or `.connectionLost` when there was no closing handshake.
public final class Caller: Sendable {
    let handle: ConnectionHandle
    private let origin: Origin
    private let settings: CallerSettings

    /// Where a connection comes from.
    enum Origin: Sendable {
        case accepted(RequestRecord)
        /// The addresses are kept, for after the end of TCP nobody else knows them.
        case dialled(Ends)

        final class Ends: Sendable {
            let remote: SocketAddress
            let local: SocketAddress

            init(remote: SocketAddress, local: SocketAddress) {
                self.remote = remote
                self.local = local
            }
        }
    }

    /// Unique in the process.
    public var connectionID: String { String(handle.id) }
    /// The subprotocol of the connection; nil without one.
    public var negotiatedSubprotocol: String? { handle.subprotocol }
    /// The request that opened the connection; nil on a client's side. It is read anew from the bytes that came each
    /// time it is asked for.
    public var request: UpgradeRequest? {
        if case .accepted(let record) = origin { UpgradeRequest(record) } else { nil }
    }
    /// The peer's address.
    public var remoteAddress: SocketAddress {
        switch origin {
        case .accepted(let record): record.remoteAddress
        case .dialled(let ends): ends.remote
        }
    }
    /// Our address.
    public var localAddress: SocketAddress {
        switch origin {
        case .accepted(let record): record.localAddress
        case .dialled(let ends): ends.local
        }
    }

    /// On the connection's loop.
    init(handle: ConnectionHandle, request: UpgradeRequest?, settings: CallerSettings) {
        self.handle = handle
        self.settings = settings
        origin =
            if let request {
                .accepted(request.record)
            } else {
                .dialled(Origin.Ends(remote: handle.remoteAddress, local: handle.localAddress))
            }
    }

    /// Says in each line which connection it is about.
    var logger: Logger? {
        var logger = settings.logger
        logger?[metadataKey: "connection"] = "\(connectionID)"
        return logger
    }

    private var writeTimeout: Duration? { settings.writeTimeout }

    /// Keeps a value with the connection.
    public func setAttribute(_ name: String, _ value: any Sendable) {
        // What was there goes outside the lock.
        _ = handle.withAttributes { $0.updateValue(value, forKey: name) }
    }

    /// The value kept under that name; nil when there is none.
    public func getAttribute(_ name: String) -> (any Sendable)? {
        handle.withAttributes { $0[name] }
    }

    /// Forgets the value kept under that name and returns it; nil when there was none.
    @discardableResult
    public func removeAttribute(_ name: String) -> (any Sendable)? {
        handle.withAttributes { $0.removeValue(forKey: name) }
    }

    func log(_ error: any Error) {
        logger?.error("\(error)")
    }

    /// A ping that comes while the connection closes needs no answer.
    func answerPing(_ data: [UInt8]) throws {
        do {
            try handle.pong(data)
        } catch {
            guard error.code == .connectionClosed || error.code == .connectionLost else { throw error }
        }
    }
}

extension Caller {
    /// True over TLS.
    public var isSecure: Bool { handle.isSecure }
    /// True until a close frame was sent or received, or the connection was lost.
    public var isOpen: Bool { handle.isOpen }
    /// True when the handshake agreed on permessage-deflate (RFC 7692).
    public var compressionNegotiated: Bool { handle.isCompressed }
    /// Bytes that were written and that the system has not taken yet.
    public var bufferedAmount: Int { handle.bufferedAmount }

    // MARK: Writing

    /// Sends a text message, in frames of at most `maxFrameSize`. Messages of concurrent writers never
    /// interleave.
    ///
    /// Returns once the bytes are handed to the system or few wait for it; waits while many do.
    ///
    /// - Throws: ``WebSocketError`` `.connectionClosed`, `.connectionLost`, `.backpressure` (over
    ///   `sendQueueLimit`). While it waits also `.writeTimedOut` after ``ClientConfiguration/writeTimeout``, and
    ///   `CancellationError`: the message stays queued and is sent when the peer reads again.
    @inlinable
    nonisolated(nonsending) public func writeTextMessage(_ text: String) async throws {
        if try sendText(text) { try await waitUntilWritable() }
    }

    /// The same without waiting, for code that is not asynchronous: many bytes may then be waiting, up to
    /// `sendQueueLimit`.
    public func writeTextMessage(_ text: String) throws {
        _ = try sendText(text)
    }

    /// The same for text that is borrowed, such as a message just received.
    @available(macOS 26, *)
    public func writeTextMessage(_ text: UTF8Span) throws {
        try text.span.withUnsafeBufferPointer { bytes in try handle.writeText(bytes) }
    }

    /// True when the writer should wait. Apart from the wait, so that a write that need not wait costs its caller no
    /// asynchronous call.
    @usableFromInline
    func sendText(_ text: String) throws -> Bool {
        let isSent: Void? = try text.utf8.withContiguousStorageIfAvailable { bytes in
            try handle.writeText(bytes)
        }
        if isSent == nil { try Array(text.utf8).withUnsafeBufferPointer(handle.writeText) }
        return handle.isOverHighWater
    }

    @usableFromInline
    nonisolated(nonsending) func waitUntilWritable() async throws {
        try await handle.waitUntilWritable(writeTimeout)
    }

    /// Sends a binary message; as ``writeTextMessage(_:)-(String)``.
    @inlinable
    nonisolated(nonsending) public func writeBinaryMessage(_ data: some Collection<UInt8>) async throws {
        if try sendBinary(data) { try await waitUntilWritable() }
    }

    /// The same without waiting, for code that is not asynchronous.
    public func writeBinaryMessage(_ data: some Collection<UInt8>) throws {
        _ = try sendBinary(data)
    }

    /// The same for bytes that are borrowed, such as a message just received.
    public func writeBinaryMessage(_ data: RawSpan) throws {
        try data.withUnsafeBytes { bytes in try handle.writeBinary(bytes) }
    }

    /// True when the writer should wait.
    @inlinable
    func sendBinary(_ data: some Collection<UInt8>) throws -> Bool {
        let isFull = try data.withContiguousStorageIfAvailable(sendBytes)
        if let isFull { return isFull }
        return try [UInt8](data).withUnsafeBufferPointer(sendBytes)
    }

    @usableFromInline
    func sendBytes(_ bytes: UnsafeBufferPointer<UInt8>) throws -> Bool {
        try handle.writeBinary(UnsafeRawBufferPointer(bytes))
        return handle.isOverHighWater
    }

    /// Sends a ping.
    ///
    /// - Throws: ``WebSocketError`` `.controlFrameTooLong` for more than 125 bytes, and nothing is sent.
    public func ping(_ data: [UInt8] = []) async throws {
        try handle.ping(data)
    }

    /// The same for code that is not asynchronous.
    public func ping(_ data: [UInt8] = []) throws {
        try handle.ping(data)
    }

    /// Sends a pong, asked for or not. Of pongs that wait for a slow reader only the newest is kept (RFC 6455
    /// §5.5.3).
    ///
    /// - Throws: ``WebSocketError`` `.controlFrameTooLong` for more than 125 bytes, and nothing is sent.
    public func pong(_ data: [UInt8] = []) async throws {
        try handle.pong(data)
    }

    /// The same for code that is not asynchronous.
    public func pong(_ data: [UInt8] = []) throws {
        try handle.pong(data)
    }

    // MARK: Closing

    /// Closes the connection and returns when the peer has answered the close frame. Cancelling the task does
    /// not cut that short, so that a cancelled task can still close in good order.
    ///
    /// - Parameters:
    ///   - statusCode: nil sends an empty close frame.
    ///   - reason: At most 123 bytes of UTF-8.
    ///   - timeout: Until TCP is dropped without the answer; negative waits for ever, zero not at all; nil is
    ///     ``ConnectionLimits/connectionClosureTimeout``, 60 s by default.
    /// - Throws: ``WebSocketError`` `.closeTimedOut`; `.invalidConfiguration` for a reserved code or a long
    ///   reason, and nothing is sent; `.connectionClosed` when a close frame was sent or received already.
    public func close(
        statusCode: CloseCode? = .normalClosure, reason: String? = nil, timeout: Duration? = nil
    ) async throws {
        try handle.close(statusCode, reason ?? "", timeout)
        try await handle.waitUntilClosed()
    }

    /// Starts to close the connection, for code that is not asynchronous: `onClose` tells when it is done.
    public func close(
        statusCode: CloseCode? = .normalClosure, reason: String? = nil, timeout: Duration? = nil
    ) throws {
        try handle.close(statusCode, reason ?? "", timeout)
    }
}

/// What the callers of one service, or of one client, have in common.
final class CallerSettings: Sendable {
    let logger: Logger?
    let writeTimeout: Duration?

    init(logger: Logger?, writeTimeout: Duration? = nil) {
        self.logger = logger
        self.writeTimeout = writeTimeout
    }
}
