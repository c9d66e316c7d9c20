/// Why a wait is over.
enum Wake: Sendable {
    case woken
    case timedOut
    case cancelled
}

typealias WakeContinuation = UnsafeContinuation<Wake, Never>

/// Tasks that wait for something, kept under the lock of what they wait for. Whoever takes one out resumes it,
/// so each is woken once.
struct Waiters: Sendable {
    private var continuations: [UInt64: WakeContinuation] = [:]
    private var lastID: UInt64 = 0

    mutating func nextID() -> UInt64 {
        lastID += 1
        return lastID
    }

    mutating func add(_ continuation: WakeContinuation, _ id: UInt64) { continuations[id] = continuation }

    mutating func remove(_ id: UInt64) -> WakeContinuation? { continuations.removeValue(forKey: id) }

    mutating func removeAll() -> [WakeContinuation] {
        if continuations.isEmpty { return [] }
        defer { continuations = [:] }
        return Array(continuations.values)
    }
}

extension [WakeContinuation] {
    func wake() {
        for continuation in self { continuation.resume(returning: .woken) }
    }
}

/// Suspends the task.
///
/// - Parameters:
///   - enter: Keeps the continuation for whoever will wake it. False when there is nothing to wait for.
///   - leave: Takes the continuation out again unless somebody has already.
func wait(
    for timeout: Duration? = nil, enter: (WakeContinuation) -> Bool,
    leave: @escaping @Sendable () -> WakeContinuation?
) async -> Wake {
    var alarm: Task<Void, any Error>?
    let wake = await withTaskCancellationHandler {
        await withUnsafeContinuation { (continuation: WakeContinuation) in
            guard enter(continuation) else { return continuation.resume(returning: .woken) }
            guard let timeout else { return }
            alarm = Task.detached {
                try await Task.sleep(for: min(timeout, .seconds(1 << 30)))  // beyond, clocks overflow
                leave()?.resume(returning: .timedOut)
            }
        }
    } onCancel: {
        leave()?.resume(returning: .cancelled)
    }
    alarm?.cancel()
    return wake
}
