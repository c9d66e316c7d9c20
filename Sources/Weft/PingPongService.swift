/// What a ``Client`` does with pings and pongs, given as ``ClientConfiguration/pingPongHandler``.
///
/// The callbacks come one at a time and in the order of arrival, whether or not somebody reads; the client's
/// messages go on meanwhile. While callbacks lag far behind, the server is held back. One that throws ends the
/// connection with close code 1011, and its error goes to the log.
public protocol PingPongService: Sendable {
    /// A ping. By default it is answered with a pong of the same payload (RFC 6455 §5.5.2).
    func onPing(_ caller: Caller, _ data: [UInt8]) async throws
    /// A pong.
    func onPong(_ caller: Caller, _ data: [UInt8]) async throws
}

extension PingPongService {
    public func onPing(_ caller: Caller, _ data: [UInt8]) async throws { try caller.answerPing(data) }
    public func onPong(_ caller: Caller, _ data: [UInt8]) async throws {}
}

/// A service that hears of pings and pongs alone.
struct PingPongOnly: Service {
    let handler: any PingPongService

    func onPing(_ caller: Caller, _ data: [UInt8]) async throws { try await handler.onPing(caller, data) }
    func onPong(_ caller: Caller, _ data: [UInt8]) async throws { try await handler.onPong(caller, data) }
}
