internal import CWeft
import HTTPTypes

/// What a client's configuration says, checked and in the core's form.
struct ClientSettings {
    private let url: String
    private let subProtocols: String
    private let headers: HTTPFields
    private let handShakeTimeout: UInt32
    private let limits: weft_connection_config
    private let compression: weft_compression
    private let retry: weft_retry_config?
    private let service: weft_service
    private let proxy: Proxy?
    private let tls: TLSSettings?

    /// Throws for a value out of range, naming it.
    init(
        _ url: String, _ configuration: ClientConfiguration, _ service: weft_service
    ) throws(WebSocketError) {
        try ConnectionLimits.check(subProtocols: configuration.subProtocols)
        let isEachNew = Set(configuration.subProtocols).count == configuration.subProtocols.count
        try ConnectionLimits.check("subProtocols", isEachNew, "one is repeated")
        let timeout = configuration.handShakeTimeout
        self.url = url
        self.service = service
        subProtocols = configuration.subProtocols.joined(separator: ", ")
        headers = try configuration.headers(for: url)
        handShakeTimeout =
            (timeout < .zero ? ClientConfiguration.defaultHandShakeTimeout : timeout).coreMilliseconds
        limits = try configuration.limits.coreValue()
        compression = try configuration.compression.coreValue(
            isEnabled: configuration.webSocketCompressionEnabled)
        retry = try configuration.retry?.coreValue()
        proxy = configuration.proxy
        try proxy?.check()
        tls = try Self.settings(for: url, configuration)
    }

    /// What a `wss` URL needs; what was given is checked in any case.
    private static func settings(
        for url: String, _ configuration: ClientConfiguration
    ) throws(WebSocketError) -> TLSSettings? {
        let isSecure = url.prefix(4).lowercased() == "wss:"
        guard let secureSocket = configuration.secureSocket else {
            return isSecure ? try TLSSettingsStore.ofDefaults.settings() : nil
        }
        if isSecure { secureSocket.warn(configuration.logger) }
        return try secureSocket.settings()
    }

    /// Starts to connect; `config` has the loop and the callbacks.
    func connect(_ given: weft_client_config) throws(WebSocketError) -> CoreHandle {
        var config = given
        var client: OpaquePointer?
        var detail = Detail()
        config.handshake_timeout_ms = handShakeTimeout
        config.tls = tls?.pointer
        try detail.fill { text, size in
            lendTexts(&config) { config in
                lendProxy(&config) { config in
                    lendValues(&config) { config in weft_client_connect(&client, &config, text, size) }
                }
            }
        }
        return CoreHandle(pointer: client!)
    }

    private func lendValues<Result>(
        _ config: inout weft_client_config, _ body: (inout weft_client_config) -> Result
    ) -> Result {
        withUnsafePointer(to: limits) { limits in
            withUnsafePointer(to: service) { service in
                withUnsafePointer(to: compression) { compression in
                    withOptionalPointer(to: retry) { retry in
                        config.connection = limits
                        config.service = service
                        config.compression = compression
                        config.retry = retry
                        return body(&config)
                    }
                }
            }
        }
    }

    private func lendProxy<Result>(
        _ config: inout weft_client_config, _ body: (inout weft_client_config) -> Result
    ) -> Result {
        guard let proxy else { return body(&config) }
        return proxy.host.withView { host in
            (proxy.username ?? "").withView { username in
                (proxy.password ?? "").withView { password in
                    var core = weft_proxy()
                    weft_proxy_init(&core)
                    core.host = host
                    core.port = UInt16(proxy.port)
                    core.username = username
                    core.password = password
                    return withUnsafePointer(to: core) { core in
                        config.proxy = core
                        return body(&config)
                    }
                }
            }
        }
    }

    private func lendTexts<Result>(
        _ config: inout weft_client_config, _ body: (inout weft_client_config) -> Result
    ) -> Result {
        url.withView { url in
            subProtocols.withView { names in
                headers.withViews { fields, count in
                    config.url = url
                    config.subprotocols = names
                    config.fields = fields
                    config.field_count = count
                    return body(&config)
                }
            }
        }
    }
}

/// Lends a value for the time of the call; nil is a null pointer.
private func withOptionalPointer<Value, Result>(
    to value: Value?, _ body: (UnsafePointer<Value>?) -> Result
) -> Result {
    guard let value else { return body(nil) }
    return withUnsafePointer(to: value) { body($0) }
}
