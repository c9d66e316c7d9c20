/// Which requests that carry an `Origin` may upgrade (RFC 6455 §10.2). Requests without one, as from
/// programs, always may; others get 403.
public enum AllowedOrigins: Sendable, Hashable {
    /// Scheme, host and port are the request's own.
    case sameOrigin
    /// Exactly these, spelled as browsers do (RFC 6454 §6.2): `https://example.org` or `https://example.org:8443`,
    /// in lower case, without a slash at the end or a default port; or `null`. Others are an error of `attach`.
    case list([String])
    /// All of them.
    case any
}

/// Finds out whether a silent peer is still there.
public struct KeepAlive: Sendable, Hashable {
    /// Silence of the peer until it is sent a ping; more than zero. Default 60 s.
    public var interval: Duration
    /// From that ping until the connection ends with 1006; more than zero. Default 30 s.
    public var timeout: Duration

    /// A ping after `interval`, the end `timeout` later.
    public init(interval: Duration = .seconds(60), timeout: Duration = .seconds(30)) {
        self.interval = interval
        self.timeout = timeout
    }
}

/// Limits and timeouts of one connection, of either role.
public struct ConnectionLimits: Sendable, Hashable {
    /// The longest frame accepted, and the size into which longer messages are cut, in payload bytes. Default
    /// 65536; 0 or less means the default.
    ///
    /// Browsers choose the size of their frames: Chromium cuts a message at some 131,000 bytes, others may send
    /// it in one frame. Where they send more than 64 KiB, raise this, to ``maxMessageSize`` if in doubt.
    public var maxFrameSize: Int
    /// The longest message accepted, assembled from its fragments, in bytes; at least 1. Default 1 MiB.
    public var maxMessageSize: Int
    /// Frames of one message, empty ones included; from 1 to 4294967295. Default 131072.
    public var maxFragments: Int
    /// No frame read and none written for this long: `onIdleTimeout`. Zero, the default, turns it off.
    public var idleTimeout: Duration
    /// Pings to a silent peer; nil turns them off. Default 60 s and 30 s.
    public var keepAlive: KeepAlive?
    /// From our close frame until TCP is dropped without the peer's, where `close` says nothing else; negative
    /// waits for ever, zero is an error. Default 60 s.
    public var connectionClosureTimeout: Duration
    /// Bytes that may wait for a peer that reads slowly; at least 1. Default 16 MiB. Over it a write fails
    /// with `.backpressure` and nothing of it is sent; a message that finds nothing waiting may be larger.
    public var sendQueueLimit: Int
}

/// A configuration that sets limits of connections.
public protocol ConnectionConfiguration {
    /// Limits and timeouts of the connections.
    var limits: ConnectionLimits { get set }
}

extension ConnectionConfiguration {
    /// See ``ConnectionLimits/maxFrameSize``.
    public var maxFrameSize: Int {
        get { limits.maxFrameSize }
        set { limits.maxFrameSize = newValue }
    }
    /// See ``ConnectionLimits/maxMessageSize``.
    public var maxMessageSize: Int {
        get { limits.maxMessageSize }
        set { limits.maxMessageSize = newValue }
    }
    /// See ``ConnectionLimits/maxFragments``.
    public var maxFragments: Int {
        get { limits.maxFragments }
        set { limits.maxFragments = newValue }
    }
    /// See ``ConnectionLimits/idleTimeout``.
    public var idleTimeout: Duration {
        get { limits.idleTimeout }
        set { limits.idleTimeout = newValue }
    }
    /// See ``ConnectionLimits/keepAlive``.
    public var keepAlive: KeepAlive? {
        get { limits.keepAlive }
        set { limits.keepAlive = newValue }
    }
    /// See ``ConnectionLimits/connectionClosureTimeout``.
    public var connectionClosureTimeout: Duration {
        get { limits.connectionClosureTimeout }
        set { limits.connectionClosureTimeout = newValue }
    }
    /// See ``ConnectionLimits/sendQueueLimit``.
    public var sendQueueLimit: Int {
        get { limits.sendQueueLimit }
        set { limits.sendQueueLimit = newValue }
    }
}

/// Where a ``Service`` is called. An ``InlineService`` always runs on the event loop.
public enum Dispatch: Sendable, Hashable {
    /// On the connection's event loop: the fast way, for callbacks that compute little between suspensions.
    case eventLoop
    /// On Swift's global pool of threads, for callbacks that compute much. They still come one at a time and in
    /// order.
    case concurrent
}

/// Settings of the connections that an upgrade service accepts.
public struct ServiceConfiguration: ConnectionConfiguration, Sendable, Hashable {
    /// The subprotocols that the service speaks, each a token (RFC 9110 §5.6.2). The first of the client's list
    /// that is among them is chosen; `"*"` stands for any. Default none.
    public var subProtocols: [String] = []
    /// Which web pages may connect. Default `.sameOrigin`.
    public var allowedOrigins: AllowedOrigins = .sameOrigin
    /// Where callbacks of a ``Service`` run. Default `.eventLoop`.
    public var dispatch: Dispatch = .eventLoop
    /// A callback that holds the event loop for longer is logged as a warning, with its connection; more than
    /// zero. What a callback waits for holds nothing up and does not count, nor does what runs on the global pool.
    /// nil, the default, measures nothing.
    public var slowCallbackWarning: Duration?
    public var limits = ConnectionLimits()

    /// The defaults.
    public init() {}
}
