internal import CWeft

/// How a connection ended.
struct Ending: Sendable {
    let code: CloseCode
    let reason: String
    /// What went wrong, where something did.
    let error: WebSocketError?
    /// Our close frame was not answered in time.
    let isCloseTimeout: Bool
}

/// One hold on a connection of the core, and those who wait for it.
final class ConnectionHandle: Sendable {
    private let core: CoreHandle
    let eventLoop: EventLoop
    private let highWater = ConnectionLimits.highWater  // a static one is made sure of at each use

    private struct State {
        var attributes: [String: any Sendable] = [:]
        private var rest: Rest?

        /// What an idle connection has no use for takes no memory of it.
        final class Rest: @unchecked Sendable {
            // Unchecked: it is touched under the lock of `state` alone.
            var ending: Ending?
            var isClosing = false
            var closeIsAsked: (@Sendable () -> Void)?
            var closeWaiters: [UnsafeContinuation<Void, Never>] = []
            var writeWaiters = Waiters()
        }

        var ending: Ending? { rest?.ending }
        var isClosing: Bool { rest?.isClosing ?? false }

        /// To be changed.
        mutating func more() -> Rest {
            let more = rest ?? Rest()
            rest = more
            return more
        }

        func takeWriteWaiters() -> [WakeContinuation] { rest?.writeWaiters.removeAll() ?? [] }
    }
    private let state = Locked(State())

    /// Inside `on_open`, on the loop.
    init(_ connection: OpaquePointer) {
        core = CoreHandle(pointer: weft_connection_retain(connection))
        eventLoop = EventLoop.of(weft_connection_loop(connection))
    }

    deinit { weft_connection_release(pointer) }

    private var pointer: OpaquePointer { core.pointer }

    /// What the service keeps with the connection.
    func withAttributes<Result: Sendable>(_ body: (inout [String: any Sendable]) -> Result) -> Result {
        state.withLock { state in body(&state.attributes) }
    }

    // MARK: What the connection tells

    var id: UInt64 { weft_connection_id(pointer) }
    var isOpen: Bool { weft_connection_is_open(pointer) }
    var isSecure: Bool { weft_connection_is_secure(pointer) }
    var isCompressed: Bool { weft_connection_is_compressed(pointer) }
    var bufferedAmount: Int { weft_connection_buffered_amount(pointer) }
    var subprotocol: String? {
        let view = weft_connection_subprotocol(pointer)
        return view.length == 0 ? nil : String(view)
    }

    /// On the loop.
    var remoteAddress: SocketAddress { address(weft_connection_remote_address) }

    /// On the loop.
    var localAddress: SocketAddress { address(weft_connection_local_address) }

    private typealias AddressGetter = (
        OpaquePointer?, UnsafeMutablePointer<CChar>?, Int, UnsafeMutablePointer<UInt16>?
    ) -> weft_status

    private func address(_ get: AddressGetter) -> SocketAddress {
        var port: UInt16 = 0
        var characters = [CChar](repeating: 0, count: 64)
        let count = characters.count
        guard get(pointer, &characters, count, &port) == WEFT_OK else {
            return SocketAddress(host: "", port: 0)
        }
        let host = characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        return SocketAddress(host: String(decoding: host, as: UTF8.self), port: Int(port))
    }

    // MARK: Writing

    /// Text that is known to be UTF-8.
    func writeText(_ bytes: UnsafeBufferPointer<UInt8>) throws(WebSocketError) {
        try checkWrite(weft_connection_send_valid_text(pointer, bytes.baseAddress, bytes.count))
    }

    func writeBinary(_ bytes: UnsafeRawBufferPointer) throws(WebSocketError) {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        try checkWrite(weft_connection_send(pointer, WEFT_BINARY, start, bytes.count))
    }

    func ping(_ data: [UInt8]) throws(WebSocketError) {
        try checkLength(of: "ping", data)
        try checkWrite(weft_connection_ping(pointer, data, data.count))
    }

    func pong(_ data: [UInt8]) throws(WebSocketError) {
        try checkLength(of: "pong", data)
        try checkWrite(weft_connection_pong(pointer, data, data.count))
    }

    private func checkLength(of frame: String, _ data: [UInt8]) throws(WebSocketError) {
        let longest = Int(WEFT_CONTROL_PAYLOAD_MAX)
        if data.count > longest {
            throw WebSocketError(
                .controlFrameTooLong, "a \(frame) of \(data.count) bytes is over \(longest)")
        }
    }

    @inline(__always)
    private func checkWrite(_ status: weft_status) throws(WebSocketError) {
        if status != WEFT_OK { throw writeError(status) }
    }

    private func writeError(_ status: weft_status) -> WebSocketError {
        guard status == WEFT_ECLOSED else {
            return WebSocketError(
                status,
                status == WEFT_EBACKPRESSURE ? "the send queue is full: the peer reads too slowly" : "")
        }
        return closedError
    }

    /// Why nothing can be read or written any more.
    var closedError: WebSocketError {
        guard let ending = state.withLock({ $0.ending }) else {
            return WebSocketError(.connectionClosed, "close frame already sent")
        }
        if ending.code == .abnormalClosure {
            let message = ending.error?.message ?? "the connection ended without a close frame"
            return WebSocketError(.connectionLost, message, underlying: ending.error, closeCode: ending.code)
        }
        let reason = ending.reason.isEmpty ? "" : ": \(ending.reason)"
        return WebSocketError(
            .connectionClosed, "the connection is closed with code \(ending.code)\(reason)",
            underlying: ending.error,
            closeCode: ending.code,
            closeReason: ending.reason)
    }

    /// True when so much waits for the system that a writer should wait too.
    var isOverHighWater: Bool { bufferedAmount > highWater }

    /// Returns when no more waits for the system than it should.
    func waitUntilWritable(_ timeout: Duration?) async throws {
        let id = state.withLock { $0.more().writeWaiters.nextID() }
        let wake = await wait(for: timeout) { continuation in
            let isWaiting = state.withLock { state in
                guard state.ending == nil, !Task.isCancelled else { return false }
                state.more().writeWaiters.add(continuation, id)
                return true
            }
            // Behind what was written: by then it may all have been sent, and then nobody else would tell.
            if isWaiting, !eventLoop.post({ self.resumeWritersIfWritable() }) { resumeWriters() }
            return isWaiting
        } leave: {
            self.state.withLock { $0.more().writeWaiters.remove(id) }
        }
        if state.withLock({ $0.ending?.code == .abnormalClosure }) { throw closedError }
        try Task.checkCancellation()
        guard let timeout, wake == .timedOut else { return }
        throw WebSocketError(
            .writeTimedOut,
            "the peer did not read for \(timeout): \(bufferedAmount) bytes wait, the message among them")
    }

    private func resumeWritersIfWritable() {
        if !isOverHighWater { resumeWriters() }
    }

    func resumeWriters() {
        state.withLock { $0.takeWriteWaiters() }.wake()
    }

    // MARK: Closing

    /// Starts the closing handshake. A negative timeout waits for ever; nil: as long as the settings say.
    func close(_ code: CloseCode?, _ reason: String, _ timeout: Duration?) throws(WebSocketError) {
        guard code.map(\.isSendable) ?? true else {
            throw WebSocketError(.invalidConfiguration, "close code \(code!) is reserved or out of range")
        }
        guard reason.utf8.count <= Int(WEFT_CLOSE_REASON_MAX) else {
            throw WebSocketError(
                .invalidConfiguration,
                "a close reason of \(reason.utf8.count) bytes is over \(WEFT_CLOSE_REASON_MAX)")
        }
        guard code != nil || reason.isEmpty else {
            throw WebSocketError(.invalidConfiguration, "a close reason needs a close code")
        }
        let milliseconds = timeout.map { max($0.coreTimeout, 1) } ?? 0
        let closeIsAsked = state.withLock { state in
            let more = state.more()
            more.isClosing = true  // before the core's timeout can come
            return more.closeIsAsked
        }
        closeIsAsked?()
        let status = reason.withView { view in
            weft_connection_close(pointer, code?.rawValue ?? 0, view.bytes, view.length, milliseconds)
        }
        if status != WEFT_OK { throw writeError(status) }
        resumeReading()  // of those that were held back the close frame is the last
    }

    /// True once our side has asked for the closing handshake.
    var isClosing: Bool { state.withLock { $0.isClosing } }

    /// Calls `body` when our side asks to close from now on, though the connection be over. False when it has.
    func whenCloseIsAsked(_ body: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            state.more().closeIsAsked = body
            return !state.isClosing
        }
    }

    /// How the connection ended, once it has.
    var ending: Ending? { state.withLock { $0.ending } }

    /// Returns when the connection is closed.
    func waitUntilClosed() async throws(WebSocketError) {
        await withUnsafeContinuation { continuation in
            let isWaiting = state.withLock { state in
                guard state.ending == nil else { return false }
                state.more().closeWaiters.append(continuation)
                return true
            }
            if !isWaiting { continuation.resume() }
        }
        guard let ending = state.withLock({ $0.ending }), ending.isCloseTimeout else { return }
        throw WebSocketError(
            .closeTimedOut, ending.error?.message ?? "the peer did not answer the close frame in time",
            closeCode: ending.code)
    }

    /// Wakes everybody, once. Inside `on_close`.
    func finish(_ ending: Ending) {
        let (closers, writers) = state.withLock { state in
            let more = state.more()
            more.ending = ending
            defer { more.closeWaiters = [] }
            return (more.closeWaiters, more.writeWaiters.removeAll())
        }
        for closer in closers { closer.resume() }
        writers.wake()
    }

    /// Closes because the listener stops. One that is closing already goes on doing so.
    func stop(_ timeout: Duration) { try? close(.goingAway, "", timeout) }

    func abort() { weft_connection_abort(pointer) }

    func answerClose() { weft_connection_answer_close(pointer) }

    /// Ends the connection with 1011 because a callback failed.
    func fail() {
        onLoop { weft_connection_fail($0, "the service failed") }
    }

    /// Reads on, unless something else still holds the peer back by then.
    func resumeReading(unless isHeldBack: @escaping @Sendable () -> Bool = { false }) {
        onLoop { connection in
            if !isHeldBack() { weft_connection_resume(connection) }
        }
    }

    private func onLoop(_ body: @escaping @Sendable (OpaquePointer) -> Void) {
        if eventLoop.isCurrent {
            body(pointer)
        } else {
            // Refused only when the loop has ended every connection.
            _ = eventLoop.post { body(self.pointer) }
        }
    }
}
