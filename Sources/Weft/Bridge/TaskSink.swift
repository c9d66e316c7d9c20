internal import CWeft

/// Queues what the core tells for the one task that calls a ``Service``.
final class TaskSink: ConnectionSink {
    let queue = EventQueue()

    private func append(_ event: ServiceEvent) { _ = queue.append(event) }

    override func opened() { append(.open(caller)) }

    override func received(
        _ type: weft_message_type, _ bytes: UnsafeBufferPointer<UInt8>, _ connection: OpaquePointer
    ) {
        let event: ServiceEvent = type == WEFT_TEXT ? .text(String(validated: bytes)) : .binary([UInt8](bytes))
        if queue.append(event) { weft_connection_pause(connection) }
    }

    override func receivedPing(_ data: [UInt8]) { append(.ping(data)) }
    override func receivedPong(_ data: [UInt8]) { append(.pong(data)) }
    override func idled() { append(.idle) }
    override func failed(_ error: WebSocketError) { append(.failure(error)) }

    override func closed(_ ending: Ending, _ connection: OpaquePointer) {
        weft_connection_hold_close(connection)  // until onClose has returned
        append(.close(ending.code, ending.reason))
    }

    override func released() { append(.end) }
}

/// The life of a connection as its service sees it: runs as one task, on the connection's loop.
struct ServiceRun {
    let service: any Service
    let queue: EventQueue
    private var caller: Caller!
    private var thrown: (any Error)?

    init(service: any Service, queue: EventQueue) {
        self.service = service
        self.queue = queue
    }

    mutating func run() async {
        var batch: [ServiceEvent] = []
        while true {
            if await queue.take(into: &batch) { caller?.handle.resumeReading() }
            for event in batch {
                if case .end = event { return }
                await handle(event)
            }
            batch.removeAll(keepingCapacity: true)
        }
    }

    private mutating func handle(_ event: ServiceEvent) async {
        switch event {
        case .failure(let error): await service.onError(caller, thrown ?? error)
        case .close(let code, let reason): await close(code, reason)
        default:
            guard thrown == nil else { return }  // after a failure nothing of the peer is handled
            do {
                try await call(event)
            } catch {
                thrown = error
                caller.handle.fail()
            }
        }
    }

    private mutating func call(_ event: ServiceEvent) async throws {
        switch event {
        case .text(let text): try await service.onTextMessage(caller, text)
        case .binary(let data): try await service.onBinaryMessage(caller, data)
        case .ping(let data): try await service.onPing(caller, data)
        case .pong(let data): try await service.onPong(caller, data)
        case .idle: try await service.onIdleTimeout(caller)
        case .open(let caller):
            self.caller = caller
            try await service.onOpen(caller)
        case .failure, .close, .end: break  // handled by the callers
        }
    }

    private func close(_ code: CloseCode, _ reason: String) async {
        do {
            try await service.onClose(caller, code, reason)
        } catch {
            await service.onError(caller, error)
        }
        caller.handle.answerClose()
    }
}
