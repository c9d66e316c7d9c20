internal import CWeft
import HTTPTypes

// The defaults stand in the core alone.

extension ConnectionLimits {
    private static var defaults: weft_connection_config {
        var config = weft_connection_config()
        weft_connection_config_init(&config)
        return config
    }

    /// Waiting bytes above which a write waits.
    static let highWater = Int(defaults.high_water)

    /// The defaults.
    public init() {
        let defaults = Self.defaults
        maxFrameSize = Int(defaults.max_frame_size)
        maxMessageSize = Int(defaults.max_message_size)
        maxFragments = Int(defaults.max_fragments)
        idleTimeout = .milliseconds(defaults.idle_timeout_ms)
        keepAlive = KeepAlive(
            interval: .milliseconds(defaults.keep_alive_interval_ms),
            timeout: .milliseconds(defaults.keep_alive_timeout_ms))
        connectionClosureTimeout = .milliseconds(defaults.close_timeout_ms)
        sendQueueLimit = Int(defaults.send_queue_limit)
    }

    /// The core's form. Throws for a value out of range, naming it.
    func coreValue() throws(WebSocketError) -> weft_connection_config {
        var config = Self.defaults
        try Self.check("maxMessageSize", maxMessageSize, in: 1...Int.max)
        try Self.check("maxFragments", maxFragments, in: 1...Int(UInt32.max))
        try Self.check("sendQueueLimit", sendQueueLimit, in: 1...Int.max)
        try Self.check("idleTimeout", idleTimeout, atLeast: .zero)
        try Self.check(
            "connectionClosureTimeout", connectionClosureTimeout != .zero,
            "0 seconds is neither more than 0 nor, for no limit, less")
        if let keepAlive {
            try Self.check("keepAlive.interval", keepAlive.interval, moreThan: .zero)
            try Self.check("keepAlive.timeout", keepAlive.timeout, moreThan: .zero)
        }
        if maxFrameSize > 0 { config.max_frame_size = UInt64(maxFrameSize) }
        config.max_message_size = UInt64(maxMessageSize)
        config.max_fragments = UInt32(maxFragments)
        config.send_queue_limit = UInt64(sendQueueLimit)
        config.close_timeout_ms = connectionClosureTimeout.coreTimeout
        config.idle_timeout_ms = idleTimeout.coreMilliseconds
        config.keep_alive_interval_ms = keepAlive?.interval.coreMilliseconds ?? 0
        if let keepAlive { config.keep_alive_timeout_ms = keepAlive.timeout.coreMilliseconds }
        return config
    }

    static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(WebSocketError) {
        let limits =
            range.upperBound == .max
            ? "at least \(range.lowerBound)" : "in \(range.lowerBound) to \(range.upperBound)"
        try check(name, range.contains(value), "\(value) is not \(limits)")
    }

    static func check(
        _ name: String, _ value: Duration, atLeast least: Duration
    ) throws(WebSocketError) {
        try check(name, value >= least, "\(value) is not at least \(least)")
    }

    static func check(
        _ name: String, _ value: Duration, moreThan bound: Duration
    ) throws(WebSocketError) {
        try check(name, value > bound, "\(value) is not more than \(bound)")
    }

    /// RFC 6455 §4.1: a subprotocol is a token, as the name of a field is.
    static func check(subProtocols names: [String]) throws(WebSocketError) {
        for name in names {
            try check("subProtocols", HTTPField.Name(name) != nil, "\(name.debugDescription) is not a token")
        }
    }

    static func check(_ name: String, _ isGood: Bool, _ problem: String) throws(WebSocketError) {
        if !isGood { throw WebSocketError(.invalidConfiguration, "\(name): \(problem)") }
    }
}

extension ServiceConfiguration {
    /// Throws for a value out of range, naming it.
    func check() throws(WebSocketError) {
        try ConnectionLimits.check(subProtocols: subProtocols)
        if case .list(let origins) = allowedOrigins {
            for origin in origins { try Self.check(origin: origin) }
        }
        if let slowCallbackWarning {
            try ConnectionLimits.check("slowCallbackWarning", slowCallbackWarning, moreThan: .zero)
        }
        _ = try limits.coreValue()
    }

    private static func check(origin: String) throws(WebSocketError) {
        guard let problem = origin.withView({ weft_origin_problem($0) }) else { return }
        let sentence = "\(origin.debugDescription): \(String(cString: problem))"
        throw WebSocketError(.invalidConfiguration, "allowedOrigins: \(sentence)")
    }
}

extension RequestLimits {
    /// The defaults.
    public init() {
        let defaults = ListenerConfiguration.defaults
        maxUriLength = Int(defaults.max_uri_length)
        maxHeaderSize = Int(defaults.max_header_size)
        maxEntityBodySize = Int(defaults.max_entity_body_size)
    }
}

extension HTTP1Settings {
    /// The defaults.
    public init() {
        let defaults = ListenerConfiguration.defaults
        keepAlive =
            switch defaults.keep_alive {
            case WEFT_KEEP_ALIVE_ALWAYS: .always
            case WEFT_KEEP_ALIVE_NEVER: .never
            default: .auto
            }
        maxPipelinedRequests = Int(defaults.max_pipelined_requests)
    }

    fileprivate var coreKeepAlive: weft_keep_alive {
        switch keepAlive {
        case .auto: WEFT_KEEP_ALIVE_AUTO
        case .always: WEFT_KEEP_ALIVE_ALWAYS
        case .never: WEFT_KEEP_ALIVE_NEVER
        }
    }
}

extension ListenerConfiguration {
    static var defaults: weft_listener_config {
        var config = weft_listener_config()
        weft_listener_config_init(&config)
        return config
    }

    /// The defaults.
    public init() {
        host = String(cString: Self.defaults.host)
        timeout = .milliseconds(Self.defaults.timeout_ms)
        http1Settings = HTTP1Settings()
        requestLimits = RequestLimits()
        threads = Int(Self.defaults.threads)
        backlog = Int(Self.defaults.backlog)
        maxConnections = .max
    }

    /// Throws for a value out of range, naming it.
    func check() throws(WebSocketError) {
        let count = Int(UInt32.max)
        let isName = !host.isEmpty && !host.utf8.contains(0)
        try ConnectionLimits.check("host", isName, "it is empty or has a NUL")
        try ConnectionLimits.check("timeout", timeout, atLeast: .zero)
        try ConnectionLimits.check("threads", threads, in: 1...1024)
        try ConnectionLimits.check("backlog", backlog, in: 1...Int(Int32.max))
        try ConnectionLimits.check("maxConnections", maxConnections, in: 1...Int.max)
        try ConnectionLimits.check(
            "http1Settings.maxPipelinedRequests", http1Settings.maxPipelinedRequests, in: 1...count)
        try ConnectionLimits.check("requestLimits.maxUriLength", requestLimits.maxUriLength, in: 1...count)
        try ConnectionLimits.check("requestLimits.maxHeaderSize", requestLimits.maxHeaderSize, in: 1...count)
        try ConnectionLimits.check(
            "requestLimits.maxEntityBodySize", requestLimits.maxEntityBodySize, in: -1...Int.max)
        let isFieldValue = server.map { $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } } ?? true
        try ConnectionLimits.check("server", isFieldValue, "it has control characters")
        _ = try compression.coreValue(isEnabled: webSocketCompressionEnabled)
    }

    /// The core's form, but for what points to memory.
    var coreValue: weft_listener_config {
        var config = Self.defaults
        config.timeout_ms = timeout.coreMilliseconds
        config.backlog = UInt32(backlog)
        config.max_connections = UInt64(maxConnections)
        config.max_uri_length = UInt32(requestLimits.maxUriLength)
        config.max_header_size = UInt32(requestLimits.maxHeaderSize)
        config.keep_alive = http1Settings.coreKeepAlive
        config.max_pipelined_requests = UInt32(http1Settings.maxPipelinedRequests)
        config.max_entity_body_size = Int64(requestLimits.maxEntityBodySize)
        return config
    }
}

extension ClientConfiguration {
    /// The default of ``handShakeTimeout``.
    static let defaultHandShakeTimeout: Duration = {
        var config = weft_client_config()
        weft_client_config_init(&config)
        return .milliseconds(config.handshake_timeout_ms)
    }()
}

extension RetryConfiguration {
    private static var defaults: weft_retry_config {
        var config = weft_retry_config()
        weft_retry_config_init(&config)
        return config
    }

    /// The defaults, where nothing else is given.
    public init(
        maxCount: Int? = nil, interval: Duration? = nil, backOffFactor: Double? = nil,
        maxWaitInterval: Duration? = nil
    ) {
        let defaults = Self.defaults
        self.maxCount = maxCount ?? Int(defaults.max_count)
        self.interval = interval ?? .milliseconds(defaults.interval_ms)
        self.backOffFactor = backOffFactor ?? defaults.back_off_factor
        self.maxWaitInterval = maxWaitInterval ?? .milliseconds(defaults.max_wait_interval_ms)
    }

    /// The core's form. Throws for a value out of range, naming it.
    func coreValue() throws(WebSocketError) -> weft_retry_config {
        var config = Self.defaults
        try ConnectionLimits.check("retry.maxCount", maxCount, in: 0...Int(UInt32.max))
        let least = Duration.milliseconds(1)
        try ConnectionLimits.check("retry.interval", interval, atLeast: least)
        try ConnectionLimits.check("retry.maxWaitInterval", maxWaitInterval, atLeast: least)
        let isFactor = backOffFactor >= 1 && backOffFactor <= 1000
        try ConnectionLimits.check("retry.backOffFactor", isFactor, "\(backOffFactor) is not in 1 to 1000")
        config.max_count = UInt32(maxCount)
        config.interval_ms = interval.coreMilliseconds
        config.back_off_factor = backOffFactor
        config.max_wait_interval_ms = maxWaitInterval.coreMilliseconds
        return config
    }
}

extension Proxy {
    /// Throws for a port out of range; the core checks the rest and names the field.
    func check() throws(WebSocketError) {
        try ConnectionLimits.check("proxy.port", port, in: 1...65535)
        let isUsed = password == nil || username?.isEmpty == false
        try ConnectionLimits.check("proxy.username", isUsed, "a password is of no use without it")
    }
}
