/// The address of one end of a connection, in numbers.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 or IPv6 address, the latter without brackets. Of a listener on a unix domain socket the path; of
    /// such a connection's ends, and where the system does not tell, empty.
    public var host: String

    /// The TCP port; 0 where there is none.
    public var port: Int

    /// An address.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// As in a URL: `127.0.0.1:80`, `[::1]:80`, `unix:/run/socket`.
    public var description: String {
        if port == 0 { return "unix:\(host)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
