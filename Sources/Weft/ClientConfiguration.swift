public import HTTPTypes
public import Logging

/// Settings of a ``Client`` or an ``AsyncClient``.
public struct ClientConfiguration: ConnectionConfiguration, Sendable {
    /// Offered in this order; the server must pick one of them. Default none.
    public var subProtocols: [String] = []
    /// Added to the request. The handshake's own fields cannot be among them, but `Host` and `Origin` can.
    public var customHeaders: HTTPFields = [:]
    /// For name, TCP and upgrade together; negative means the default, 300 s. Zero is no limit.
    public var handShakeTimeout: Duration = defaultHandShakeTimeout
    public var limits = ConnectionLimits()
    /// Where the connection lives; nil, the default, is ``EventLoops/shared``.
    public var eventLoops: EventLoops?
    /// Where callbacks' errors and the like are logged; nil is silence.
    public var logger: Logger?

    /// The defaults.
    public init() {}
}
