internal import CWeft

extension InlineService {
    /// The sink of a connection that talks to this service. It knows the service's type, so that a message needs no
    /// box to be opened.
    func makeSink(_ makeCaller: @escaping (ConnectionHandle) -> Caller) -> ConnectionSink {
        InlineSink(service: self, makeCaller: makeCaller)
    }
}

/// Calls an ``InlineService`` straight from the core's callbacks.
private final class InlineSink<Handler: InlineService>: ConnectionSink {
    private let service: Handler

    init(service: Handler, makeCaller: @escaping (ConnectionHandle) -> Caller) {
        self.service = service
        super.init(makeCaller: makeCaller)
    }

    /// A callback that throws ends the connection; `failed` then gets its error.
    @inline(__always)
    private func call(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            thrown = error
            caller.handle.fail()
        }
    }

    override func opened() { call { try service.onOpen(caller) } }

    override func received(
        _ type: weft_message_type, _ bytes: UnsafeBufferPointer<UInt8>, _ connection: OpaquePointer
    ) {
        // The sink holds its caller until its release, which no callback outlives.
        Unmanaged.passUnretained(caller!)._withUnsafeGuaranteedRef { caller in
            call {
                if type == WEFT_BINARY {
                    try service.onBinaryMessage(caller, bytes.span.bytes)
                } else if #available(macOS 26, *) {
                    try service.onTextMessage(caller, UTF8Span(unchecked: bytes.span))
                } else {
                    try service.onTextMessage(caller, String(validated: bytes))
                }
            }
        }
    }

    override func receivedPing(_ data: [UInt8], _ connection: OpaquePointer) {
        call { try service.onPing(caller, data) }
    }

    override func receivedPong(_ data: [UInt8], _ connection: OpaquePointer) {
        call { try service.onPong(caller, data) }
    }

    override func idled() { call { try service.onIdleTimeout(caller) } }

    override func failed(_ error: WebSocketError, _ connection: OpaquePointer) {
        service.onError(caller, thrown ?? error)
    }

    override func closed(_ ending: Ending, _ connection: OpaquePointer) {
        do {
            try service.onClose(caller, ending.code, ending.reason)
        } catch {
            service.onError(caller, error)
        }
    }
}
