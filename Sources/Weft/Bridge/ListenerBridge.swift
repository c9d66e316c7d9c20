internal import CWeft
import Logging

/// An open listener of the core.
final class ListenerBridge: Sendable {
    private let core: CoreHandle
    /// The loops live as long as the listener's sockets on them.
    private let eventLoops: [EventLoop]
    private let end: ListenerEnd

    /// Binds the address and accepts.
    init(
        _ place: ListenerPlace, configuration: ListenerConfiguration, routes: [String: Route]
    ) throws(WebSocketError) {
        eventLoops = try (configuration.eventLoops ?? EventLoops(threads: configuration.threads)).started()
        end = ListenerEnd(eventLoops: eventLoops, logger: configuration.logger)
        let loops = eventLoops.map { Optional($0.pointer) }
        let retained = Unmanaged.passRetained(end)
        var settings = configuration.coreValue
        settings.context = retained.toOpaque()
        settings.on_closed = { context in
            Unmanaged<ListenerEnd>.fromOpaque(context!).takeRetainedValue().reach()
        }
        settings.on_warning = { context, status, detail in
            let end = Unmanaged<ListenerEnd>.fromOpaque(context!).takeUnretainedValue()
            end.logger?.log(level: status == WEFT_OK ? .notice : .warning, "\(String(cString: detail!))")
        }
        settings.loop_count = loops.count
        var opened: OpaquePointer?
        do throws(WebSocketError) {
            var detail = Detail()
            try detail.fill { text, size in
                place.lend(to: &settings, host: configuration.host) { settings in
                    withOptionalCString(configuration.server) { server in
                        loops.withUnsafeBufferPointer { loops in
                            settings.server = server
                            settings.loops = loops.baseAddress
                            return Self.open(&opened, &settings, Array(routes), text, size)
                        }
                    }
                }
            }
        } catch {
            retained.release()
            throw error
        }
        core = CoreHandle(pointer: opened!)
    }

    deinit { weft_listener_release(pointer) }

    private var pointer: OpaquePointer { core.pointer }

    /// Lends the routes one after the other, then opens.
    private static func open(
        _ out: UnsafeMutablePointer<OpaquePointer?>, _ core: inout weft_listener_config,
        _ routes: [(key: String, value: Route)], _ detail: UnsafeMutablePointer<CChar>, _ detailSize: Int
    ) -> weft_status {
        var lent: [weft_path_route] = []
        func lend(_ rest: ArraySlice<(key: String, value: Route)>) -> weft_status {
            guard let next = rest.first else {
                return lent.withUnsafeBufferPointer { routes in
                    core.routes = routes.baseAddress
                    core.route_count = routes.count
                    return weft_listener_open(out, &core, detail, detailSize)
                }
            }
            return next.key.withCString { path in
                next.value.withCoreValue { route in
                    lent.append(weft_path_route(path: path, route: route))
                    return lend(rest.dropFirst())
                }
            }
        }
        return lend(routes[...])
    }

    var localAddress: SocketAddress {
        SocketAddress(
            host: String(cString: weft_listener_host(pointer)), port: Int(weft_listener_port(pointer)))
    }

    var connectionCount: Int { weft_listener_connection_count(pointer) }

    func attach(_ route: Route, at path: String) -> weft_status {
        route.withCoreValue { weft_listener_attach(pointer, path, $0) }
    }

    func detach(path: String) { _ = weft_listener_detach(pointer, path) }

    /// Ends the listener and returns when all its connections are gone. Zero aborts them.
    func stop(timeout: Duration) async {
        weft_listener_stop(pointer, timeout.coreMilliseconds)
        await end.wait()
    }
}

/// What the core tells of a listener: warnings, and when it has ended. The core holds one retain until then,
/// and so the loops stay.
private final class ListenerEnd: Sendable {
    private struct State {
        var isReached = false
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }
    private let state = Locked(State())
    private let eventLoops: [EventLoop]
    let logger: Logger?

    init(eventLoops: [EventLoop], logger: Logger?) {
        self.eventLoops = eventLoops
        self.logger = logger
    }

    func wait() async {
        await withUnsafeContinuation { continuation in
            let isWaiting = state.withLock { state in
                guard !state.isReached else { return false }
                state.waiters.append(continuation)
                return true
            }
            if !isWaiting { continuation.resume() }
        }
    }

    func reach() {
        let waiters = state.withLock { state in
            state.isReached = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
