import Synchronization
import Weft

/// Hands each message to the checker; ``isThrough`` ends with the last one, a wrong one, or the connection.
final class Receiver: Service {
    let isThrough: AsyncStream<Never>
    private let end: AsyncStream<Never>.Continuation
    private let checker: Checker
    private let isSlow: Bool
    private let firstError = Mutex<(any Error)?>(nil)

    init(checker: Checker, isSlow: Bool) {
        (self.checker, self.isSlow) = (checker, isSlow)
        (isThrough, end) = AsyncStream.makeStream()
    }

    var error: (any Error)? { firstError.withLock { $0 } }

    func onTextMessage(_ caller: Caller, _ text: String) async throws { try await take(.text(text)) }

    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws { try await take(.binary(data)) }

    func onError(_ caller: Caller, _ error: any Error) async { firstError.withLock { $0 = $0 ?? error } }

    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws { end.finish() }

    private func take(_ message: Message) async throws {
        if isSlow { try await Task.sleep(for: .milliseconds(5)) }
        if checker.take(message) != .more { end.finish() }
    }
}
