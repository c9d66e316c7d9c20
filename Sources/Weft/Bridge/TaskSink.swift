internal import CWeft

/// Queues what the core tells for the one task that calls a ``Service``.
final class TaskSink: ConnectionSink {
    let queue = EventQueue()

    private func append(_ event: ServiceEvent) { _ = queue.append(event) }

    override func opened() { append(.open(caller)) }

    override func received(
        _ type: weft_message_type, _ bytes: UnsafeBufferPointer<UInt8>, _ connection: OpaquePointer
    ) {
        let event: ServiceEvent =
            type == WEFT_TEXT ? .text(String(validated: bytes)) : .binary([UInt8](bytes))
        append(event, of: connection)
    }

    override func receivedPing(_ data: [UInt8], _ connection: OpaquePointer) {
        append(.ping(data), of: connection)
    }

    override func receivedPong(_ data: [UInt8], _ connection: OpaquePointer) {
        append(.pong(data), of: connection)
    }

    /// What the peer sends is held back while the task lags.
    private func append(_ event: ServiceEvent, of connection: OpaquePointer) {
        if queue.append(event) { pause(connection, orDrop: queue.dropRest) }
    }

    override func idled() { append(.idle) }
    override func stopping(_ timeout: Duration) { append(.stop(timeout)) }

    override func failed(_ error: WebSocketError, _ connection: OpaquePointer) {
        // What came before the violation is answered first; a service that failed itself has no more to say.
        if error.code != .callbackFailed { weft_connection_hold_close(connection) }
        append(.failure(error))
    }

    override func closed(_ ending: Ending, _ connection: OpaquePointer) {
        weft_connection_hold_close(connection)  // until onClose has returned
        append(.close(ending.code, ending.reason))
    }

    override func released() { append(.end) }
}

/// The life of a connection as its service sees it: runs as one task.
struct ServiceRun {
    let service: any Service
    let queue: EventQueue
    /// True while something beside the queue holds the peer back.
    var isHeldBack: @Sendable () -> Bool = { false }

    /// Every suspension costs more than handling a small message does, so there is one only when nothing
    /// waits.
    func run() async {
        var batch: [ServiceEvent] = []
        var caller: Caller!
        var thrown: (any Error)?
        while true {
            let mayReadOn = queue.take(into: &batch)
            if caller == nil, case .open(let opened) = batch.first { caller = opened }
            if mayReadOn { caller.handle.resumeReading(unless: isHeldBack) }
            if batch.isEmpty { await withUnsafeContinuation { queue.resumeAtNext($0) } }
            for index in batch.indices {
                var event = ServiceEvent.end
                swap(&event, &batch[index])  // moved out: copying it would count references
                do {
                    switch event {
                    // What was thrown has ended the connection: nothing more of the peer is handled.
                    case _ where thrown != nil && event.isOfPeer: break
                    case .text(let text): try await service.onTextMessage(caller, text)
                    case .binary(let data): try await service.onBinaryMessage(caller, data)
                    case .ping(let data): try await service.onPing(caller, data)
                    case .pong(let data): try await service.onPong(caller, data)
                    case .idle: try await service.onIdleTimeout(caller)
                    case .failure(let error) where error.code == .callbackFailed: break  // told below
                    case .failure(let error):
                        caller.handle.answerClose()
                        await service.onError(caller, error)
                    case .close(let code, let reason): await close(caller, code, reason)
                    case .stop(let timeout): caller.handle.stop(timeout)
                    case .open: try await service.onOpen(caller)
                    case .end: return
                    }
                } catch {
                    thrown = error
                    caller.handle.fail()
                    await service.onError(caller, error)
                }
            }
            batch.removeAll(keepingCapacity: true)
        }
    }

    private func close(_ caller: Caller, _ code: CloseCode, _ reason: String) async {
        do {
            try await service.onClose(caller, code, reason)
        } catch {
            await service.onError(caller, error)
        }
        caller.handle.answerClose()
    }
}
