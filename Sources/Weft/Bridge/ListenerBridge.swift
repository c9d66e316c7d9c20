internal import CWeft
import Logging

/// An open listener of the core.
final class ListenerBridge: Sendable {
    private let core: CoreHandle
    /// The loops live as long as the listener's sockets on them.
    private let eventLoops: [EventLoop]
    let end: ListenerEnd

    /// Binds the address and accepts.
    init(
        _ place: ListenerPlace, configuration: ListenerConfiguration, routes: RouteList, tls: TLSSettings?
    ) throws(WebSocketError) {
        eventLoops = try (configuration.eventLoops ?? EventLoops(threads: configuration.threads)).started()
        end = ListenerEnd(eventLoops: eventLoops, logger: configuration.logger)
        let loops = eventLoops.map { Optional($0.pointer) }
        let compression = try configuration.compression.coreValue(
            isEnabled: configuration.webSocketCompressionEnabled)
        var settings = configuration.coreValue
        core = try Self.open(&settings, end, routes) { out, settings, text, size in
            place.lend(to: &settings, host: configuration.host) { settings in
                withOptionalCString(configuration.server) { server in
                    loops.withUnsafeBufferPointer { loops in
                        withUnsafePointer(to: compression) { compression in
                            settings.server = server
                            settings.loops = loops.baseAddress
                            settings.loop_count = loops.count
                            settings.compression = compression
                            settings.tls = tls?.pointer
                            return weft_listener_open(&out, &settings, text, size)
                        }
                    }
                }
            }
        }
    }

    /// A second set of services on the port of `owner`.
    init(sharing owner: ListenerBridge, routes: RouteList, logger: Logger?) throws(WebSocketError) {
        eventLoops = owner.eventLoops
        end = ListenerEnd(eventLoops: eventLoops, logger: logger)
        var settings = ListenerConfiguration.defaults
        core = try Self.open(&settings, end, routes) { out, settings, text, size in
            weft_listener_share(&out, owner.pointer, &settings, text, size)
        }
    }

    deinit { weft_listener_release(pointer) }

    private var pointer: OpaquePointer { core.pointer }

    /// What both ways to open have in common: the core takes a retain of `end`, and of the routes.
    private static func open(
        _ settings: inout weft_listener_config, _ end: ListenerEnd, _ routes: RouteList,
        _ call: (
            inout OpaquePointer?, inout weft_listener_config, UnsafeMutablePointer<CChar>, Int
        ) -> weft_status
    ) throws(WebSocketError) -> CoreHandle {
        let retained = Unmanaged.passRetained(end)
        settings.context = retained.toOpaque()
        settings.on_closed = { context in
            Unmanaged<ListenerEnd>.fromOpaque(context!).takeRetainedValue().reach()
        }
        settings.on_warning = { context, status, detail in
            let end = Unmanaged<ListenerEnd>.fromOpaque(context!).takeUnretainedValue()
            end.logger?.log(level: status == WEFT_OK ? .notice : .warning, "\(String(cString: detail!))")
        }
        settings.on_tls_failure = { context, _, host, port, detail in
            let end = Unmanaged<ListenerEnd>.fromOpaque(context!).takeUnretainedValue()
            end.logger?.info("\(String(cString: host!)):\(port): \(String(cString: detail!))")
        }
        var opened: OpaquePointer?
        do throws(WebSocketError) {
            var detail = Detail()
            try detail.fill { text, size in
                routes.lend { entries in
                    settings.routes = entries.baseAddress
                    settings.route_count = entries.count
                    return call(&opened, &settings, text, size)
                }
            }
        } catch {
            retained.release()
            throw error
        }
        return CoreHandle(pointer: opened!)
    }

    var localAddress: SocketAddress {
        SocketAddress(
            host: String(cString: weft_listener_host(pointer)), port: Int(weft_listener_port(pointer)))
    }

    var connectionCount: Int { weft_listener_connection_count(pointer) }

    func attach(_ route: Route, at path: String) throws(WebSocketError) {
        let status = RouteList([(path, route)]).lend { entries in
            weft_listener_attach(pointer, entries[0].path, entries[0].route)
        }
        try WebSocketError.check(status, status == WEFT_ESTATE ? "the listener has ended" : "")
    }

    func detach(_ route: Route, at path: String) {
        _ = weft_listener_detach_context(pointer, path, Unmanaged.passUnretained(route).toOpaque())
    }

    /// For connections that are accepted from now on.
    func setTLS(_ tls: TLSSettings) throws(WebSocketError) {
        try WebSocketError.check(weft_listener_set_tls(pointer, tls.pointer))
    }

    /// Ends the listener and returns when all its connections are gone. Zero aborts them.
    func stop(timeout: Duration) async {
        weft_listener_stop(pointer, timeout.coreMilliseconds)
        await end.wait()
    }
}

/// What the core tells of a listener: warnings, and when it has ended. The core holds one retain until then,
/// and so the loops stay.
final class ListenerEnd: Sendable {
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

    var isReached: Bool { state.withLock { $0.isReached } }

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
