public import Logging

/// Ceilings of an HTTP request.
public struct RequestLimits: Sendable, Hashable {
    /// Bytes of the request target; at least 1; beyond: 414. Default 4096.
    public var maxUriLength: Int
    /// Bytes of the header fields; at least 1; beyond: 431. Default 8192.
    public var maxHeaderSize: Int
    /// Bytes of a request's body; beyond: 413. -1 (the default) sets no limit; smaller values are an error.
    public var maxEntityBodySize: Int
}

/// How the plain HTTP of a listener's connections goes on after an answer.
public struct HTTP1Settings: Sendable, Hashable {
    /// Whether a connection serves further requests.
    public enum KeepAlive: Sendable, Hashable {
        /// As the client asks (RFC 9112 §9.3).
        case auto
        /// Even where the client asks to close.
        case always
        /// One request for each connection.
        case never
    }

    /// Default `.auto`. Answers to requests that the library refuses, and refused upgrades, always end TCP.
    public var keepAlive: KeepAlive
    /// Requests of one connection that are under way at a time; at least 1; the next ones are not read before an
    /// answer has left. Answers leave in the order of the requests. Default 10.
    public var maxPipelinedRequests: Int

    /// Settings that differ from the defaults; nil is the default.
    public init(keepAlive: KeepAlive, maxPipelinedRequests: Int? = nil) {
        self.init()
        self.keepAlive = keepAlive
        if let maxPipelinedRequests { self.maxPipelinedRequests = maxPipelinedRequests }
    }
}

/// Settings of a ``Listener``.
public struct ListenerConfiguration: Sendable {
    /// An IPv4 or IPv6 address, or a name, not empty; `"::"` takes IPv4 too. Default `"0.0.0.0"`.
    public var host: String
    /// From the start of a TCP connection, or the last answer on it, until a request is there. Zero turns it
    /// off; it may not be negative. Default 120 s. Expiry while a request is arriving: 408. Bytes do not
    /// extend it.
    public var timeout: Duration
    /// Value of the `Server` field on every HTTP answer; nil leaves it out.
    public var server: String?
    /// Keep-alive and pipelining of plain HTTP requests.
    public var http1Settings: HTTP1Settings
    /// Ceilings of a request.
    public var requestLimits: RequestLimits
    /// TLS for every connection; nil, the default, is none.
    public var secureSocket: ListenerSecureSocket?
    /// Takes permessage-deflate (RFC 7692) where clients offer it. Default true.
    public var webSocketCompressionEnabled = true
    /// How messages are compressed then. Default contexts shared by each loop.
    public var compression = CompressionOptions()
    /// Event loops of the listener's own, from 1 to 1024; connections are spread over them. Default 1.
    public var threads: Int
    /// Event loops to run on instead of ``threads`` of the listener's own.
    public var eventLoops: EventLoops?
    /// Connections that the system keeps until they are accepted; at least 1. Default 4096.
    public var backlog: Int
    /// Open connections at a time; at least 1; beyond: 503. Default unlimited.
    public var maxConnections: Int
    /// Where callbacks' errors and the like are logged; nil is silence.
    public var logger: Logger?
}
