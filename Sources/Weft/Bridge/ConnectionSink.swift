internal import CWeft

/// What the core tells a connection. One object a connection; the core holds one retain on it, from before
/// the connection is opened until `on_release`. All methods run on the connection's loop.
class ConnectionSink {
    /// The caller, from `opened` on.
    private(set) var caller: Caller!
    /// What a connection has no use for while it is open and all is well.
    private final class Rest {
        var makeCaller: ((ConnectionHandle) -> Caller)?
        var dial: Dial?
        var atEnd: ((Caller) -> Void)?
        var error: WebSocketError?
        var isCloseTimeout = false
        var thrown: (any Error)?
    }
    private var rest: Rest?

    private var more: Rest {
        let more = rest ?? Rest()
        rest = more
        return more
    }

    /// The attempt that this sink waits for, on a client's side.
    var dial: Dial? {
        get { rest?.dial }
        set { more.dial = newValue }
    }
    /// Is called after the last callback of a connection that was opened.
    var atEnd: ((Caller) -> Void)? {
        get { rest?.atEnd }
        set { more.atEnd = newValue }
    }
    /// What a callback of the service has thrown.
    final var thrown: (any Error)? {
        get { rest?.thrown }
        set { more.thrown = newValue }
    }

    init(makeCaller: @escaping (ConnectionHandle) -> Caller) { more.makeCaller = makeCaller }

    func opened() {}
    func received(_ type: weft_message_type, _ bytes: UnsafeBufferPointer<UInt8>, _ connection: OpaquePointer)
    {}
    func receivedPing(_ data: [UInt8], _ connection: OpaquePointer) {}
    func receivedPong(_ data: [UInt8], _ connection: OpaquePointer) {}
    func idled() {}
    func failed(_ error: WebSocketError, _ connection: OpaquePointer) {}
    func stopping(_ timeout: Duration) { caller.handle.stop(timeout) }
    func closed(_ ending: Ending, _ connection: OpaquePointer) {}
    func released() {}

    /// Holds the peer back. Not once our side has asked to close: the peer's close frame is behind what it has sent, and
    /// whoever handles that may be waiting for it.
    final func pause(_ connection: OpaquePointer, orDrop dropRest: () -> Void) {
        if caller.handle.isClosing { dropRest() } else { weft_connection_pause(connection) }
    }

    // MARK: What the callbacks call

    final func open(_ connection: OpaquePointer) {
        caller = rest!.makeCaller!(ConnectionHandle(connection))
        rest!.makeCaller = nil
        if atEnd == nil && dial == nil { rest = nil }
        opened()
        dial?.opened(caller)
    }

    final func fail(_ status: weft_status, _ detail: String, _ connection: OpaquePointer) {
        var error = WebSocketError(status, detail)
        more.isCloseTimeout = status == WEFT_ETIMEDOUT && caller.handle.isClosing
        if more.isCloseTimeout { error.code = .closeTimedOut }
        more.error = error
        failed(error, connection)
    }

    final func close(_ code: UInt16, _ reason: String, _ connection: OpaquePointer) {
        let ending = Ending(
            code: CloseCode(code), reason: reason, error: rest?.error,
            isCloseTimeout: rest?.isCloseTimeout ?? false)
        caller.handle.finish(ending)
        closed(ending, connection)
    }
}

/// Whether the library answers pings, or the sink is told of them.
enum PingAnswer {
    case library
    case sink
}

extension ConnectionSink {
    /// The table of callbacks. They capture nothing: the context is the sink.
    static func callbacks(pings: PingAnswer) -> weft_service {
        var service = weft_service()
        weft_service_init(&service)
        service.on_open = { context, connection in sink(context).open(connection!) }
        service.on_message = { context, connection, type, bytes, length in
            let payload = UnsafeBufferPointer(start: bytes, count: length)
            Unmanaged<ConnectionSink>.fromOpaque(context!)._withUnsafeGuaranteedRef {
                $0.received(type, payload, connection!)
            }
        }
        if pings == .sink {
            service.on_ping = { context, connection, bytes, length in
                let data = [UInt8](UnsafeBufferPointer(start: bytes, count: length))
                sink(context).receivedPing(data, connection!)
            }
        }
        service.on_pong = { context, connection, bytes, length in
            let data = [UInt8](UnsafeBufferPointer(start: bytes, count: length))
            sink(context).receivedPong(data, connection!)
        }
        service.on_idle = { context, _ in sink(context).idled() }
        service.on_writable = { context, _ in sink(context).caller.handle.resumeWriters() }
        service.on_error = { context, connection, status, detail in
            sink(context).fail(status, String(cString: detail!), connection!)
        }
        service.on_close = { context, connection, code, reason, length in
            let bytes = UnsafeRawBufferPointer(start: reason, count: length)
            sink(context).close(code, String(decoding: bytes, as: UTF8.self), connection!)
        }
        service.on_stop = { context, _, milliseconds in
            sink(context).stopping(.milliseconds(milliseconds))
        }
        service.on_release = { context in
            let sink = Unmanaged<ConnectionSink>.fromOpaque(context!).takeRetainedValue()
            sink.released()
            if let caller = sink.caller { sink.atEnd?(caller) }
        }
        return service
    }
}

private func sink(_ context: UnsafeMutableRawPointer?) -> ConnectionSink {
    Unmanaged<ConnectionSink>.fromOpaque(context!).takeUnretainedValue()
}

extension String {
    /// A copy of bytes that the core has validated: they are not validated again.
    init(validated bytes: UnsafeBufferPointer<UInt8>) {
        if #available(macOS 26, *) {
            self.init(copying: UTF8Span(unchecked: bytes.span))
        } else {
            self.init(decoding: bytes, as: UTF8.self)
        }
    }
}
