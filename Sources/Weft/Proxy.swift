/// An HTTP proxy that opens a tunnel to the server with `CONNECT` (RFC 9110 §9.3.6), with Basic
/// authentication (RFC 7617) where it asks for that.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.proxy = Proxy(host: "proxy.example", port: 3128, username: "user", password: "secret")
/// ```
///
/// The proxy resolves the server's name. An answer of its own that refuses is `.invalidHandshake` with that
/// answer as ``WebSocketError/httpResponse``. Descriptions of a proxy leave the credentials out.
public struct Proxy: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// A name or a numeric address, IPv6 without brackets.
    public var host: String
    /// The TCP port, from 1 to 65535.
    public var port: Int
    /// Without a colon and control characters; nil: no authentication.
    public var username: String?
    /// Without control characters; sent with a ``username`` alone.
    public var password: String?

    /// A proxy; the values are checked when a client connects.
    public init(host: String, port: Int, username: String? = nil, password: String? = nil) {
        self.host = host
        self.port = port
        self.username = username
        self.password = password
    }

    /// Host and port, as in `proxy.example:3128`.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    /// The same.
    public var debugDescription: String { description }
    /// Host and port alone, so that a dump tells no password either.
    public var customMirror: Mirror { Mirror(self, children: ["host": host, "port": port]) }
}
