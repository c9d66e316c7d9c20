import Weft

/// What a service was told.
enum Event: Sendable, Equatable {
    case open
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case idle
    case close(CloseCode, String)
    case error(WebSocketError.Code)
    case otherError(String)

    init(_ error: any Error) {
        self = if let error = error as? WebSocketError { .error(error.code) } else { .otherError("\(error)") }
    }
}

/// Tells a test what happens on its connections, and then does what the test wants.
final class Recorder: Service {
    let events = Channel<Event>()
    let callers = Channel<Caller>()
    private let react: @Sendable (Caller, Event) async throws -> Void

    init(_ react: @escaping @Sendable (Caller, Event) async throws -> Void = { _, _ in }) {
        self.react = react
    }

    /// The next events.
    func next(_ count: Int) async throws -> [Event] {
        var taken: [Event] = []
        while taken.count < count { taken.append(try await events.next()) }
        return taken
    }

    private func record(_ caller: Caller, _ event: Event) async throws {
        events.send(event)
        try await react(caller, event)
    }

    func onOpen(_ caller: Caller) async throws {
        callers.send(caller)
        try await record(caller, .open)
    }
    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await record(caller, .text(text))
    }
    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {
        try await record(caller, .binary(data))
    }
    func onPing(_ caller: Caller, _ data: [UInt8]) async throws { try await record(caller, .ping(data)) }
    func onPong(_ caller: Caller, _ data: [UInt8]) async throws { try await record(caller, .pong(data)) }
    func onIdleTimeout(_ caller: Caller) async throws { try await record(caller, .idle) }
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws {
        try await record(caller, .close(statusCode, reason))
    }
    func onError(_ caller: Caller, _ error: any Error) async { try? await record(caller, Event(error)) }
}

/// The same on the event loop.
final class InlineRecorder: InlineService {
    let events = Channel<Event>()
    private let react: @Sendable (Caller, Event) throws -> Void

    init(_ react: @escaping @Sendable (Caller, Event) throws -> Void = { _, _ in }) { self.react = react }

    func next(_ count: Int) async throws -> [Event] {
        var taken: [Event] = []
        while taken.count < count { taken.append(try await events.next()) }
        return taken
    }

    private func record(_ caller: Caller, _ event: Event) throws {
        events.send(event)
        try react(caller, event)
    }

    func onOpen(_ caller: Caller) throws { try record(caller, .open) }
    func onTextMessage(_ caller: Caller, _ text: String) throws { try record(caller, .text(text)) }
    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) throws { try record(caller, .binary(data)) }
    func onPing(_ caller: Caller, _ data: [UInt8]) throws { try record(caller, .ping(data)) }
    func onPong(_ caller: Caller, _ data: [UInt8]) throws { try record(caller, .pong(data)) }
    func onIdleTimeout(_ caller: Caller) throws { try record(caller, .idle) }
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) throws {
        try record(caller, .close(statusCode, reason))
    }
    func onError(_ caller: Caller, _ error: any Error) { try? record(caller, Event(error)) }
}

/// Sends every message back.
struct Echo: Service {
    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await caller.writeTextMessage(text)
    }
    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {
        try await caller.writeBinaryMessage(data)
    }
}

/// What a callback throws in these tests.
struct Mishap: Error, CustomStringConvertible {
    var description: String { "a mishap" }
}
