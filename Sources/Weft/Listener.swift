import HTTPTypes
import Logging

/// Accepts WebSocket connections on an address and hands them to services by path.
///
/// ```swift
/// let listener = try Listener(port: 21003)
/// try listener.attach(at: "/ws") { request in Echo() }
/// try await listener.start()
/// ```
///
/// Dropping the last reference stops the listener at once, as ``immediateStop()`` does.
public final class Listener: Sendable {
    private enum Phase {
        case idle
        case running(ListenerBridge)
    }

    private struct State {
        var phase = Phase.idle
        var routes: [String: Route] = [:]
    }

    private let place: ListenerPlace
    private let configuration: ListenerConfiguration
    private let state = Locked(State())
    private let running = RunningServices()

    /// Checks the configuration and binds nothing.
    ///
    /// - Parameter port: From 0 to 65535; 0 lets the system choose, and ``localAddress`` tells after
    ///   ``start()``.
    /// - Throws: ``WebSocketError`` `.invalidConfiguration`, naming the setting that is out of range.
    public init(port: Int, configuration: ListenerConfiguration = .init()) throws(WebSocketError) {
        try ConnectionLimits.check("port", port, in: 0...65535)
        try configuration.check()
        place = .port(port)
        self.configuration = configuration
    }

    /// The same for a unix domain socket; `configuration.host` is not used.
    ///
    /// ``start()`` replaces a socket file at which nobody listens any more; a live one, or a file that is no
    /// socket, is `.addressUnavailable`. Who may connect is decided by the modes of the folder and by the
    /// umask. The file is removed when the listener stops. ``localAddress`` is the path and port 0, the
    /// address of a peer an empty host and port 0. `.sameOrigin` goes by the `Host` field and plain http:
    /// behind a proxy that speaks TLS, list the origins.
    ///
    /// - Parameter unixDomainSocketPath: As long as the system allows, which is 107 bytes on Linux.
    /// - Throws: ``WebSocketError`` `.invalidConfiguration`, naming the setting that is out of range.
    public init(
        unixDomainSocketPath: String, configuration: ListenerConfiguration = .init()
    ) throws(WebSocketError) {
        try ListenerPlace.check(unixDomainSocketPath: unixDomainSocketPath)
        try configuration.check()
        place = .unixDomainSocket(unixDomainSocketPath)
        self.configuration = configuration
    }

    // MARK: Services

    /// Puts a service at a path, before or after ``start()``. The path begins with `/` and is compared
    /// exactly; `"*"` takes every path that nothing else has.
    ///
    /// - Throws: ``WebSocketError`` `.duplicatePath`, `.invalidConfiguration`.
    public func attach(_ service: some UpgradeService, at path: String = "/") throws(WebSocketError) {
        try attach(Route(upgrade: service, logger: configuration.logger, running: running), at: path)
    }

    /// The same for a closure that decides.
    public func attach(
        at path: String = "/", configuration: ServiceConfiguration = .init(),
        _ get: @escaping @Sendable (UpgradeRequest) async throws -> Upgrade
    ) throws(WebSocketError) {
        try attach(ClosureUpgradeService(configuration: configuration, decide: get), at: path)
    }

    /// The same for a closure that makes the service of every connection.
    public func attach(
        at path: String = "/", configuration: ServiceConfiguration = .init(),
        _ makeService: @escaping @Sendable (UpgradeRequest) async throws -> some Service
    ) throws(WebSocketError) {
        try attach(at: path, configuration: configuration) { request -> Upgrade in
            Upgrade(try await makeService(request))
        }
    }

    /// The same for a service whose callbacks run on the event loop.
    public func attach(
        at path: String = "/", configuration: ServiceConfiguration = .init(),
        _ makeService: @escaping @Sendable (UpgradeRequest) async throws -> some InlineService
    ) throws(WebSocketError) {
        try attach(at: path, configuration: configuration) { request -> Upgrade in
            Upgrade(try await makeService(request))
        }
    }

    /// Puts a service for plain HTTP requests at a path.
    ///
    /// - Throws: ``WebSocketError`` `.duplicatePath`, `.invalidConfiguration`.
    public func attach(_ service: some HTTPService, at path: String = "/") throws(WebSocketError) {
        try attach(Route(http: service, logger: configuration.logger), at: path)
    }

    /// The same for a closure that answers.
    public func attach(
        at path: String = "/",
        _ respond: @escaping @Sendable (HTTPServiceRequest) async throws -> HTTPServiceResponse
    ) throws(WebSocketError) {
        try attach(ClosureHTTPService(answer: respond), at: path)
    }

    private func attach(_ route: Route, at path: String) throws(WebSocketError) {
        let isPath =
            path.hasPrefix("/") && path.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"?#".utf8.contains($0) }
        guard isPath || path == "*" else {
            throw WebSocketError(.invalidConfiguration, "\"\(path)\" is not a path such as /ws")
        }
        try state.withLock { state throws(WebSocketError) in
            guard state.routes[path] == nil else {
                throw WebSocketError(.duplicatePath, "\(path) has a service already")
            }
            if case .running(let bridge) = state.phase {
                try WebSocketError.check(bridge.attach(route, at: path))
            }
            state.routes[path] = route
        }
    }

    /// Takes the service at a path away: new requests get 404 at once, open connections go on.
    ///
    /// - Throws: ``WebSocketError`` `.notAttached`.
    public func detach(path: String) throws(WebSocketError) {
        try state.withLock { state throws(WebSocketError) in
            guard state.routes.removeValue(forKey: path) != nil else {
                throw WebSocketError(.notAttached, "nothing is attached at \(path)")
            }
            if case .running(let bridge) = state.phase { bridge.detach(path: path) }
        }
    }

    // MARK: Life

    /// Binds the address and accepts connections.
    ///
    /// - Throws: ``WebSocketError`` `.addressUnavailable` and `.nameResolution`, naming address and cause;
    ///   `.invalidState` for a listener that runs or ran already.
    public func start() async throws(WebSocketError) {
        try state.withLock { state throws(WebSocketError) in
            guard case .idle = state.phase else {
                throw WebSocketError(.invalidState, "a listener starts only once")
            }
            let bridge = try ListenerBridge(place, configuration: configuration, routes: state.routes)
            state.phase = .running(bridge)
        }
    }

    /// Stops to accept, lets requests that are being decided and callbacks that were begun finish, sends close
    /// 1001 to every connection, waits for the closing handshakes and for the last callbacks, and drops what is
    /// left at the timeout. A callback that takes longer is not waited for; its `onClose` follows it.
    ///
    /// - Throws: ``WebSocketError`` `.invalidState` for a listener that was not started.
    public func gracefulStop(timeout: Duration = .seconds(30)) async throws(WebSocketError) {
        let end = ContinuousClock.now + timeout
        try await stop(timeout: max(timeout, .milliseconds(1)))
        await running.waitUntilNone(end - .now)
    }

    /// Aborts every connection; each service still gets its `onClose`, with 1006, which is not waited for.
    ///
    /// - Throws: ``WebSocketError`` `.invalidState` for a listener that was not started.
    public func immediateStop() async throws(WebSocketError) {
        try await stop(timeout: .zero)
    }

    private func stop(timeout: Duration) async throws(WebSocketError) {
        guard let bridge else { throw WebSocketError(.invalidState, "the listener was not started") }
        await bridge.stop(timeout: timeout)
    }

    /// Starts, then stops gracefully when the task is cancelled.
    public func run() async throws {
        try await start()
        let (cancellation, continuation) = AsyncStream<Never>.makeStream()
        await withTaskCancellationHandler {
            for await _ in cancellation {}
        } onCancel: {
            continuation.finish()
        }
        try await gracefulStop()
    }

    /// Where the listener listens; nil before ``start()``.
    public var localAddress: SocketAddress? { bridge?.localAddress }

    /// Open connections, those that have not asked for an upgrade included.
    public var connectionCount: Int { bridge?.connectionCount ?? 0 }

    private var bridge: ListenerBridge? {
        state.withLock { state in
            if case .running(let bridge) = state.phase { return bridge }
            return nil
        }
    }
}

private struct ClosureUpgradeService: UpgradeService {
    let configuration: ServiceConfiguration
    let decide: @Sendable (UpgradeRequest) async throws -> Upgrade

    func get(_ request: UpgradeRequest) async throws -> Upgrade { try await decide(request) }
}

private struct ClosureHTTPService: HTTPService {
    let answer: @Sendable (HTTPServiceRequest) async throws -> HTTPServiceResponse

    func respond(to request: HTTPServiceRequest) async throws -> HTTPServiceResponse {
        try await answer(request)
    }
}
