import Weft

extension ListenerConfiguration {
    /// Reachable from this machine alone.
    static var local: ListenerConfiguration {
        var configuration = ListenerConfiguration()
        configuration.host = "127.0.0.1"
        return configuration
    }
}

extension Listener {
    var port: Int { localAddress?.port ?? 0 }

    func url(_ path: String = "/ws") -> String { "ws://127.0.0.1:\(port)\(path)" }
}

/// Runs a listener, on a port of the system's choice, while the test talks to it.
func withListener<Result>(
    _ configuration: ListenerConfiguration = .local, at port: Int = 0, attach: (Listener) throws -> Void,
    _ talk: (Listener) async throws -> Result
) async throws -> Result {
    let listener = try Listener(port: port, configuration: configuration)
    try attach(listener)
    try await listener.start()
    do {
        let result = try await talk(listener)
        try await listener.immediateStop()
        return result
    } catch {
        try await listener.immediateStop()
        throw error
    }
}

/// For a listener without services.
func nothing(_ listener: Listener) {}

/// Runs a listener with one service at /ws.
func serve<Result>(
    _ service: any Service, _ configuration: ServiceConfiguration = .init(),
    on listener: ListenerConfiguration = .local, at port: Int = 0, _ talk: (Listener) async throws -> Result
) async throws -> Result {
    let attach: (Listener) throws -> Void = { listener in
        try listener.attach(at: "/ws", configuration: configuration) { _ -> Upgrade in Upgrade(service) }
    }
    return try await withListener(listener, at: port, attach: attach, talk)
}

/// Runs a listener with one inline service at /ws.
func serve<Result>(
    _ service: any InlineService, _ configuration: ServiceConfiguration = .init(),
    _ talk: (Listener) async throws -> Result
) async throws -> Result {
    let attach: (Listener) throws -> Void = { listener in
        try listener.attach(at: "/ws", configuration: configuration) { _ -> Upgrade in Upgrade(service) }
    }
    return try await withListener(attach: attach, talk)
}
