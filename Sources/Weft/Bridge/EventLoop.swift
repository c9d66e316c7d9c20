internal import CWeft

/// One event loop and its thread, as a place where Swift tasks run.
///
/// A job that is enqueued on the loop's own thread runs before the current turn's output is sent, so what a
/// task writes leaves in the same system call as everything else.
final class EventLoop: TaskExecutor {
    private let core: CoreHandle

    var pointer: OpaquePointer { core.pointer }

    init() throws(WebSocketError) {
        var opened: OpaquePointer?
        try WebSocketError.check(weft_loop_open(&opened))
        core = CoreHandle(pointer: opened!)
        weft_loop_set_data(pointer, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Tasks and connections of the loop retain it, so none is left by now.
    deinit { weft_loop_close(pointer) }

    /// The object of a loop that was opened here.
    static func of(_ pointer: OpaquePointer) -> EventLoop {
        Unmanaged<EventLoop>.fromOpaque(weft_loop_get_data(pointer)).takeUnretainedValue()
    }

    var isCurrent: Bool { weft_loop_is_current(pointer) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = unsafeBitCast(UnownedJob(job), to: UnsafeMutableRawPointer.self)
        let status = weft_loop_post(
            pointer,
            { loop, job in
                let eventLoop = EventLoop.of(loop!)
                unsafeBitCast(job, to: UnownedJob.self).runSynchronously(
                    on: eventLoop.asUnownedTaskExecutor())
            }, job)
        // An executor has no way to refuse a job; where memory is out, Swift itself stops.
        precondition(status == WEFT_OK, "the event loop could not take a task: out of memory")
    }

    /// Runs `body` on the loop's thread, soon. False when the loop is closing.
    func post(_ body: @escaping @Sendable () -> Void) -> Bool {
        let box = Unmanaged.passRetained(Box(body))
        let status = weft_loop_post(
            pointer, { _, box in Unmanaged<Box>.fromOpaque(box!).takeRetainedValue().body() }, box.toOpaque())
        if status != WEFT_OK { box.release() }
        return status == WEFT_OK
    }

    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
