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

    private enum Port {
        case own(ListenerPlace)
        case shared(with: Listener)
    }

    private struct State {
        var phase = Phase.idle
        var attachments = Attachments()
        var sharers: [Sharer] = []
        var tls: TLSSettings?
    }

    /// What is left to wait for of a listener on this one's port, although it may be gone itself.
    private struct Sharer {
        let end: ListenerEnd
        let running: RunningServices
    }

    private let port: Port
    private let configuration: ListenerConfiguration
    private let state = Locked(State())
    private let running = RunningServices()

    /// Checks the configuration and binds nothing.
    ///
    /// - Parameters:
    ///   - port: From 0 to 65535; 0 lets the system choose, and ``localAddress`` tells after ``start()``.
    ///   - configuration: Read once, here.
    /// - Throws: ``WebSocketError`` `.invalidConfiguration`, naming the setting that is out of range; `.ssl`, naming
    ///   the file of ``ListenerConfiguration/secureSocket`` that is not good.
    public init(port: Int, configuration: ListenerConfiguration = .init()) throws(WebSocketError) {
        try ConnectionLimits.check("port", port, in: 0...65535)
        try configuration.check()
        self.port = .own(.port(port))
        self.configuration = configuration
        try takeSecureSocket()
    }

    /// The same for a unix domain socket; `configuration.host` is not used.
    ///
    /// ``start()`` replaces a socket file at which nobody listens any more; a live one, or a file that is no
    /// socket, is `.addressUnavailable`. Who may connect is decided by the modes of the folder and by the
    /// umask. The file is removed when the listener stops. ``localAddress`` is the path and port 0, the
    /// address of a peer an empty host and port 0. `.sameOrigin` goes by the `Host` field and plain http:
    /// behind a proxy that speaks TLS, list the origins.
    ///
    /// - Parameters:
    ///   - unixDomainSocketPath: As long as the system allows, which is 107 bytes on Linux.
    ///   - configuration: Read once, here.
    /// - Throws: ``WebSocketError`` `.invalidConfiguration`, naming the setting that is out of range; `.ssl`, naming
    ///   the file of ``ListenerConfiguration/secureSocket`` that is not good.
    public init(
        unixDomainSocketPath: String, configuration: ListenerConfiguration = .init()
    ) throws(WebSocketError) {
        try ListenerPlace.check(unixDomainSocketPath: unixDomainSocketPath)
        try configuration.check()
        port = .own(.unixDomainSocket(unixDomainSocketPath))
        self.configuration = configuration
        try takeSecureSocket()
    }

    private func takeSecureSocket() throws(WebSocketError) {
        guard let secureSocket = configuration.secureSocket else { return }
        let tls = try secureSocket.load()
        secureSocket.warn(configuration.logger)
        state.withLock { $0.tls = tls }
    }

    /// A second set of services on the port of another listener, with that one's configuration.
    ///
    /// The services of both live beside each other, so a path that one has is taken for the other. Stopping this
    /// one removes its services and ends its own connections and requests alone; stopping the one that owns the
    /// port stops this one too. Connections that have not upgraded yet belong to the owner.
    ///
    /// - Parameter other: Must have been started when this one starts, and lives as long as this one. Where it
    ///   shares a port itself, this one shares the same.
    public init(sharing other: Listener) {
        if case .shared(let owner) = other.port {
            port = .shared(with: owner)
        } else {
            port = .shared(with: other)
        }
        configuration = other.configuration
    }

    // MARK: Services

    /// Puts a service at a path, before or after ``start()``.
    ///
    /// A path is `/` and segments between slashes. A segment is literal, `{name}` (one segment that is not empty,
    /// told as `pathParameters["name"]`), or at the end `{name*}` (the rest, slashes included; may be empty).
    /// `"*"` takes every path that nothing else has. Requests are matched segment by segment and percent-decoded:
    /// a literal goes before a parameter and that before a rest. Nothing else is normalised, so `/ws/` is not `/ws`.
    /// A WebSocket service and an HTTP service may live at one path.
    ///
    /// ```swift
    /// try listener.attach(at: "/rooms/{room}") { request in
    ///     print(request.pathParameters["room"]!)
    ///     return Chat()
    /// }
    /// ```
    ///
    /// - Returns: What ``detach(_:)-(Attachment)`` takes.
    /// - Throws: ``WebSocketError`` `.duplicatePath`; `.invalidConfiguration` for an ill-formed path or a setting out
    ///   of range; `.invalidState` for a listener that has ended.
    @discardableResult
    public func attach(
        _ service: some UpgradeService, at path: String = "/"
    ) throws(WebSocketError) -> Attachment {
        let route = try Route(upgrade: service, logger: configuration.logger, running: running)
        return try attach(route, .upgrade, service, at: path)
    }

    /// The same for a closure that decides.
    @discardableResult
    public func attach(
        at path: String = "/", configuration: ServiceConfiguration = .init(),
        _ get: @escaping @Sendable (UpgradeRequest) async throws -> Upgrade
    ) throws(WebSocketError) -> Attachment {
        try attach(ClosureUpgradeService(configuration: configuration, decide: get), at: path)
    }

    /// The same for a closure that makes the service of every connection.
    @discardableResult
    public func attach(
        at path: String = "/", configuration: ServiceConfiguration = .init(),
        _ makeService: @escaping @Sendable (UpgradeRequest) async throws -> some Service
    ) throws(WebSocketError) -> Attachment {
        try attach(at: path, configuration: configuration) { request -> Upgrade in
            Upgrade(try await makeService(request))
        }
    }

    /// The same for a service whose callbacks run on the event loop.
    @discardableResult
    public func attach(
        at path: String = "/", configuration: ServiceConfiguration = .init(),
        _ makeService: @escaping @Sendable (UpgradeRequest) async throws -> some InlineService
    ) throws(WebSocketError) -> Attachment {
        try attach(at: path, configuration: configuration) { request -> Upgrade in
            Upgrade(try await makeService(request))
        }
    }

    /// Puts a service for plain HTTP requests at a path; paths are as for WebSocket services.
    ///
    /// - Throws: ``WebSocketError`` `.duplicatePath`, `.invalidConfiguration`, `.invalidState`.
    @discardableResult
    public func attach(
        _ service: some HTTPService, at path: String = "/"
    ) throws(WebSocketError) -> Attachment {
        try attach(Route(http: service, logger: configuration.logger), .http, service, at: path)
    }

    /// The same for a closure that answers.
    @discardableResult
    public func attach(
        at path: String = "/",
        _ respond: @escaping @Sendable (HTTPServiceRequest) async throws -> HTTPServiceResponse
    ) throws(WebSocketError) -> Attachment {
        try attach(ClosureHTTPService(answer: respond), at: path)
    }

    private func attach(
        _ route: Route, _ kind: Attachments.Kind, _ service: any Sendable, at path: String
    ) throws(WebSocketError) -> Attachment {
        let place = Attachments.Place(shape: try PathPattern.shape(path), kind: kind)
        return try state.withLock { state throws(WebSocketError) in
            guard state.attachments.entries[place] == nil else { throw Self.isTaken(path) }
            if case .running(let bridge) = state.phase {
                do throws(WebSocketError) {
                    try bridge.attach(route, at: path)
                } catch {
                    throw error.code == .duplicatePath ? Self.isTaken(path) : error
                }
            }
            let attachment = state.attachments.nextAttachment(at: path)
            state.attachments.add(.init(attachment: attachment, service: service, route: route), at: place)
            return attachment
        }
    }

    private static func isTaken(_ path: String) -> WebSocketError {
        WebSocketError(.duplicatePath, "\(path) has a service already")
    }

    /// Takes a service away from every path that it lives at: new requests get 404 at once, open connections go
    /// on. Services are the same that are one instance of a class, or equal values of an `Equatable` type; for
    /// others there is ``detach(_:)-(Attachment)``.
    ///
    /// - Throws: ``WebSocketError`` `.notAttached`; `.invalidConfiguration` for a service that is neither.
    public func detach(_ service: some UpgradeService) throws(WebSocketError) {
        try detach(service, .upgrade)
    }

    /// The same for a service for plain HTTP requests.
    public func detach(_ service: some HTTPService) throws(WebSocketError) {
        try detach(service, .http)
    }

    /// Takes away the one service at the one path that `attach` put there.
    ///
    /// - Throws: ``WebSocketError`` `.notAttached`.
    public func detach(_ attachment: Attachment) throws(WebSocketError) {
        try detach("that is not attached, or not any more") { _, entry in entry.attachment == attachment }
    }

    /// Takes the services at a path away: new requests get 404 at once, open connections go on.
    ///
    /// - Throws: ``WebSocketError`` `.notAttached`.
    public func detach(path: String) throws(WebSocketError) {
        let nothing = "nothing is attached at \(path)"
        guard let shape = try? PathPattern.shape(path) else { throw WebSocketError(.notAttached, nothing) }
        try detach(nothing) { place, _ in place.shape == shape }
    }

    private func detach(_ service: any Sendable, _ kind: Attachments.Kind) throws(WebSocketError) {
        guard Attachments.isSame(service, service) != nil else {
            let advice = "is neither a class nor Equatable; detach what attach returned instead"
            throw WebSocketError(.invalidConfiguration, "\(type(of: service)) \(advice)")
        }
        try detach("the service is not attached") { place, entry in
            place.kind == kind && Attachments.isSame(service, entry.service) == true
        }
    }

    private func detach(
        _ nothing: String, _ isMeant: (Attachments.Place, Attachments.Entry) -> Bool
    ) throws(WebSocketError) {
        let removed = state.withLock { state in
            let removed = state.attachments.remove(where: isMeant)
            guard case .running(let bridge) = state.phase else { return removed }
            for entry in removed { bridge.detach(entry.route, at: entry.attachment.path) }
            return removed  // lives on until the lock is free, as services may do anything when they die
        }
        if removed.isEmpty { throw WebSocketError(.notAttached, nothing) }
    }

    // MARK: Life

    /// Binds the address and accepts connections.
    ///
    /// - Throws: ``WebSocketError`` `.addressUnavailable` and `.nameResolution`, naming address and cause;
    ///   `.invalidState` for a listener that runs or ran already, or whose port is that of a listener that does not
    ///   run; `.duplicatePath` for a path that a listener on the same port has.
    public func start() async throws(WebSocketError) {
        try state.withLock { state throws(WebSocketError) in
            guard case .idle = state.phase else {
                throw WebSocketError(.invalidState, "a listener starts only once")
            }
            state.phase = .running(try open(state.attachments.routes, state.tls))
        }
    }

    private func open(_ routes: RouteList, _ tls: TLSSettings?) throws(WebSocketError) -> ListenerBridge {
        switch port {
        case .own(let place):
            return try ListenerBridge(place, configuration: configuration, routes: routes, tls: tls)
        case .shared(let owner):
            guard let bridge = owner.bridge else {
                throw WebSocketError(.invalidState, "the listener that owns the port was not started")
            }
            let shared = try ListenerBridge(sharing: bridge, routes: routes, logger: configuration.logger)
            owner.state.withLock { state in
                state.sharers.removeAll { $0.end.isReached }
                state.sharers.append(Sharer(end: shared.end, running: running))
            }
            return shared
        }
    }

    /// Reads the files of TLS anew, as after a certificate was renewed. Connections that are accepted from now on use
    /// them; open ones go on. When a file is not good, everything stays as it was.
    ///
    /// - Parameter secureSocket: Other settings from now on; nil reads those of the configuration again.
    /// - Throws: ``WebSocketError`` `.ssl`, naming the file; `.invalidConfiguration`; `.invalidState` for a listener
    ///   without TLS, or on the port of another one.
    public func reloadSecureSocket(_ secureSocket: ListenerSecureSocket? = nil) throws(WebSocketError) {
        guard case .own = port, let settings = secureSocket ?? configuration.secureSocket,
            configuration.secureSocket != nil
        else { throw WebSocketError(.invalidState, "the listener was made without secureSocket") }
        let tls = try settings.load()
        settings.warn(configuration.logger)
        try state.withLock { state throws(WebSocketError) in
            if case .running(let bridge) = state.phase { try bridge.setTLS(tls) }
            state.tls = tls
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
        for sharer in sharers { await sharer.running.waitUntilNone(end - .now) }
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
        for sharer in sharers { await sharer.end.wait() }
    }

    private var sharers: [Sharer] { state.withLock { $0.sharers } }

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

    /// Open connections. Those that have not asked for an upgrade are counted by the listener that owns the port.
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
