internal import CWeft
import HTTPTypes
import Logging

/// What lives at one path. The core retains it while it is attached.
final class Route: Sendable {
    let upgrade: (any UpgradeService)?
    let configuration: ServiceConfiguration
    let http: (any HTTPService)?
    let logger: Logger?

    private let callerSettings: CallerSettings
    private let running: RunningServices

    init(
        upgrade: any UpgradeService, logger: Logger?, running: RunningServices
    ) throws(WebSocketError) {
        self.upgrade = upgrade
        self.running = running
        self.logger = logger
        callerSettings = CallerSettings(logger: logger)
        configuration = upgrade.configuration
        http = nil
        try configuration.check()
    }

    init(http: any HTTPService, logger: Logger?) {
        self.http = http
        self.logger = logger
        callerSettings = CallerSettings(logger: logger)
        configuration = ServiceConfiguration()
        running = RunningServices()
        upgrade = nil
    }

    /// Compared exactly with the `Origin` of a request.
    var listedOrigins: [String] {
        if case .list(let list) = configuration.allowedOrigins { return list }
        return []
    }

    /// The route without its context and its list of origins.
    var coreCallbacks: weft_route {
        var route = weft_route()
        weft_route_init(&route)
        if upgrade != nil {
            route.on_upgrade = { context, request in Route.of(context).decide(PendingRequest(request!)) }
        }
        if http != nil {
            route.on_request = { context, request in Route.of(context).respond(PendingRequest(request!)) }
        }
        route.on_release = { context in Unmanaged<Route>.fromOpaque(context!).release() }
        switch configuration.allowedOrigins {
        case .sameOrigin: route.origins = WEFT_ORIGIN_SAME
        case .list: route.origins = WEFT_ORIGIN_LIST
        case .any: route.origins = WEFT_ORIGIN_ANY
        }
        return route
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> Route {
        Unmanaged<Route>.fromOpaque(context!).takeUnretainedValue()
    }

    // MARK: Upgrades

    /// One task decides; another, for an asynchronous service, is the connection's life, so that an idle connection
    /// holds nothing of the decision.
    private func decide(_ pending: PendingRequest) {
        let request = pending.upgradeRequest
        Task(executorPreference: configuration.dispatch == .eventLoop ? pending.eventLoop : nil) { [self] in
            do {
                let decision = try await upgrade!.get(request)
                try open(decision, request, pending)
            } catch {
                refuse(pending, error)
            }
        }
    }

    private func open(
        _ decision: Upgrade, _ request: UpgradeRequest, _ pending: PendingRequest
    ) throws(WebSocketError) {
        let subprotocol = decision.subprotocol ?? choose(from: request)
        let makeCaller = { [callerSettings] handle in
            Caller(handle: handle, request: request, settings: callerSettings)
        }
        switch decision.kind {
        case .inline(let service):
            let sink = watched(service, on: pending.eventLoop).makeSink(makeCaller)
            try pending.accept(sink, configuration, subprotocol: subprotocol, headers: decision.headers)
        case .asynchronous(let service):
            let sink = TaskSink(makeCaller: makeCaller)
            running.began()
            do throws(WebSocketError) {
                try pending.accept(sink, configuration, subprotocol: subprotocol, headers: decision.headers)
            } catch {
                running.ended()
                throw error
            }
            start(service, sink.queue, on: pending.eventLoop)
        }
    }

    private func start(_ service: any Service, _ queue: EventQueue, on eventLoop: EventLoop) {
        let atEnd: @Sendable () -> Void = { [running] in running.ended() }
        guard configuration.dispatch == .eventLoop else {
            return queue.serve(service, by: nil, atEnd: atEnd)
        }
        guard let limit = configuration.slowCallbackWarning else {
            return queue.serve(service, by: eventLoop, atEnd: atEnd)
        }
        let watch = CallbackWatch(eventLoop, limit: limit)
        queue.serve(WatchedService(service: service, watch: watch), by: watch, atEnd: atEnd)
    }

    private func watched(_ service: any InlineService, on eventLoop: EventLoop) -> any InlineService {
        guard let limit = configuration.slowCallbackWarning else { return service }
        return WatchedInlineService(service: service, watch: CallbackWatch(eventLoop, limit: limit))
    }

    /// RFC 6455 §4.2.2: the first of the client's list that we speak.
    private func choose(from request: UpgradeRequest) -> String? {
        let spoken = configuration.subProtocols
        if spoken.isEmpty { return nil }
        return request.subprotocols.first { spoken.contains($0) || spoken.contains("*") }
    }

    private func refuse(_ pending: PendingRequest, _ error: any Error) {
        let refusal = (error as? any RefusalError)?.refusal
        do throws(WebSocketError) {
            guard let refusal else { throw WebSocketError(.callbackFailed, "\(error)") }
            try pending.refuse(refusal)
        } catch {
            logger?.error("a request failed: \(error.message)", metadata: ["path": "\(pending.path)"])
            pending.fail()
        }
    }

    // MARK: Plain HTTP

    private func respond(_ pending: PendingRequest) {
        let request = pending.httpRequest
        Task(executorPreference: pending.eventLoop) { [self] in
            do {
                try pending.respond(try await http!.respond(to: request))
            } catch {
                refuse(pending, error)
            }
        }
    }
}
