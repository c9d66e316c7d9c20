internal import CWeft

/// Queues what the core tells for the one task that calls a ``Service``.
final class TaskSink: ConnectionSink {
    let queue = EventQueue()

    private func append(_ event: ServiceEvent.Other) { _ = queue.append(.other(event)) }

    override func opened() { append(.open(caller)) }

    override func received(
        _ type: weft_message_type, _ bytes: UnsafeBufferPointer<UInt8>, _ connection: OpaquePointer
    ) {
        let event: ServiceEvent =
            type == WEFT_TEXT ? .text(String(validated: bytes)) : .binary([UInt8](bytes))
        append(event, bytes.count, of: connection)
    }

    override func receivedPing(_ data: [UInt8], _ connection: OpaquePointer) {
        append(.other(.ping(data)), data.count, of: connection)
    }

    override func receivedPong(_ data: [UInt8], _ connection: OpaquePointer) {
        append(.other(.pong(data)), data.count, of: connection)
    }

    /// What the peer sends is held back while the task lags.
    private func append(_ event: consuming ServiceEvent, _ bytes: Int, of connection: OpaquePointer) {
        if queue.append(event, bytes: bytes) { pause(connection, orDrop: queue.dropRest) }
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

extension EventQueue {
    /// Starts the task that calls a service with what is queued.
    ///
    /// - Parameters:
    ///   - isHeldBack: True while something beside the queue holds the peer back.
    ///   - atEnd: Is called after the last callback.
    nonisolated func serve(
        _ service: some Service, by executor: (any TaskExecutor)?,
        isHeldBack: @escaping @Sendable () -> Bool = { false }, atEnd: @escaping @Sendable () -> Void = {}
    ) {
        goOn(by: executor ?? globalConcurrentExecutor)
        let run = ServiceRun(service: service, queue: self, isHeldBack: isHeldBack)
        Task(executorPreference: executor) {
            await run.run()
            atEnd()
        }
    }
}

/// The life of a connection as its service sees it: runs as one task.
private struct ServiceRun<Handler: Service> {
    let service: Handler
    let queue: EventQueue
    let isHeldBack: @Sendable () -> Bool

    /// Every suspension costs more than handling a small message does, so there is one only when nothing
    /// waits.
    func run() async {
        var events = EventRow()
        var mayReadOn = queue.take(into: &events)
        if events.isEmpty {
            await queue.next()
            mayReadOn = queue.take(into: &events)
        }
        guard case .other(.open(let caller)) = events.takeFirst() else { return }
        if mayReadOn { caller.handle.resumeReading(unless: isHeldBack) }
        var hasThrown = false
        do {
            try await service.onOpen(caller)
        } catch {
            hasThrown = true
            await fail(caller, error)
        }
        while true {
            while let event = events.takeFirst() {
                // What was thrown has ended the connection: nothing more of the peer is handled.
                if hasThrown && event.isOfPeer { continue }
                do {
                    switch event {
                    case .text(let text): try await service.onTextMessage(caller, text)
                    case .binary(let data): try await service.onBinaryMessage(caller, data)
                    case .other(.end): return
                    case .other(let other): try await handle(other, caller)
                    }
                } catch {
                    hasThrown = true
                    await fail(caller, error)
                }
            }
            if queue.take(into: &events) { caller.handle.resumeReading(unless: isHeldBack) }
            if events.isEmpty { await queue.next() }
        }
    }

    private func handle(_ event: ServiceEvent.Other, _ caller: Caller) async throws {
        switch event {
        case .ping(let data): try await service.onPing(caller, data)
        case .pong(let data): try await service.onPong(caller, data)
        case .idle: try await service.onIdleTimeout(caller)
        case .failure(let error) where error.code == .callbackFailed: break  // told when it was thrown
        case .failure(let error):
            caller.handle.answerClose()
            await service.onError(caller, error)
        case .close(let code, let reason): await close(caller, code, reason)
        case .stop(let timeout): caller.handle.stop(timeout)
        case .open, .end: break  // the first and the last, which `run` sees to
        }
    }

    private func fail(_ caller: Caller, _ error: any Error) async {
        caller.handle.fail()
        await service.onError(caller, error)
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
