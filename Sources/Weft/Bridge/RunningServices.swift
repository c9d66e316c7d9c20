/// Counts the services' tasks of a listener that have not come to their end.
final class RunningServices: Sendable {
    private struct State {
        var count = 0
        var waiters = Waiters()
    }
    private let state = Locked(State())

    func began() { state.withLock { $0.count += 1 } }

    func ended() {
        let waiters = state.withLock { state in
            state.count -= 1
            return state.count == 0 ? state.waiters.removeAll() : []
        }
        waiters.wake()
    }

    /// Returns when none runs, or when the time is over. Cancellation does not end it.
    func waitUntilNone(_ timeout: Duration) async {
        let waiting = Task.detached { [self] in
            let id = state.withLock { $0.waiters.nextID() }
            _ = await wait(for: timeout) { continuation in
                state.withLock { state in
                    if state.count > 0 { state.waiters.add(continuation, id) }
                    return state.count > 0
                }
            } leave: {
                self.state.withLock { $0.waiters.remove(id) }
            }
        }
        await waiting.value
    }
}
