internal import CWeft
import HTTPTypes

/// What a client's configuration says, checked and in the core's form.
struct ClientSettings {
    private let url: String
    private let subProtocols: String
    private let headers: HTTPFields
    private let handShakeTimeout: UInt32
    private var limits: weft_connection_config
    private let compression: weft_compression
    private var retry: weft_retry_config?
    private var service: weft_service

    /// Throws for a value out of range, naming it.
    init(
        _ url: String, _ configuration: ClientConfiguration, _ service: weft_service
    ) throws(WebSocketError) {
        let areNames = configuration.subProtocols.allSatisfy { !$0.isEmpty && !$0.contains(",") }
        try ConnectionLimits.check("subProtocols", areNames, "one is empty or has a comma")
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
    }

    /// Starts to connect; `config` has the loop and the callbacks.
    mutating func connect(_ given: weft_client_config) throws(WebSocketError) -> CoreHandle {
        var config = given
        var client: OpaquePointer?
        var detail = Detail()
        config.handshake_timeout_ms = handShakeTimeout
        try detail.fill { text, size in
            lendTexts(&config) { config in
                withUnsafePointer(to: &limits) { limits in
                    withUnsafePointer(to: &service) { service in
                        withOptionalPointer(to: retry) { retry in
                            withUnsafePointer(to: compression) { compression in
                                config.connection = limits
                                config.service = service
                                config.retry = retry
                                config.compression = compression
                                return weft_client_connect(&client, &config, text, size)
                            }
                        }
                    }
                }
            }
        }
        return CoreHandle(pointer: client!)
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
