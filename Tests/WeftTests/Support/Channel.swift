import Testing
import Weft

/// Hands values from callbacks to a test, which waits for them. Waiting ends when the test's time is over.
final class Channel<Element: Sendable>: Sendable {
    private let stream: AsyncStream<Element>
    private let continuation: AsyncStream<Element>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func send(_ element: Element) { continuation.yield(element) }

    func next() async throws -> Element {
        var iterator = stream.makeAsyncIterator()
        guard let element = await iterator.next() else { throw CancellationError() }
        return element
    }
}

/// Holds everybody back until it is opened.
final class Gate: Sendable {
    private let stream: AsyncStream<Never>
    private let continuation: AsyncStream<Never>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }

    func pass() async { for await _ in stream {} }
}

/// Returns when the condition holds: for what no callback tells. The test's time limit bounds it.
func eventually(_ condition: () -> Bool) async throws {
    while !condition() { try await Task.sleep(for: .milliseconds(1)) }
}

/// The error of that type which the call must throw.
func failure<Failure: Error>(
    _ type: Failure.Type, sourceLocation: SourceLocation = #_sourceLocation, _ call: () async throws -> Void
) async throws -> Failure {
    try #require(await #expect(throws: type, sourceLocation: sourceLocation) { try await call() })
}

/// Reads until a message is in time.
func patiently<Result>(_ read: () async throws -> Result) async throws -> Result {
    while true {
        do {
            return try await read()
        } catch let error as WebSocketError {
            guard error.code == .readTimedOut else { throw error }
        }
    }
}

/// Looks whether an object still lives.
final class WeakReference<Object: AnyObject & Sendable>: Sendable {
    private weak let object: Object?

    init(_ object: Object) { self.object = object }

    var isGone: Bool { object == nil }
}
