/// A user name with a password, sent as RFC 7617 has it: `Basic` and base64 of both in UTF-8.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.auth = try Credentials(username: "Aladdin", password: "open sesame")
/// ```
///
/// The server, and whoever reads a connection without TLS, learns the password. Descriptions leave both out.
public struct Credentials: ClientAuthentication, Hashable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    private let value: String

    /// Credentials for every connection.
    ///
    /// - Parameters:
    ///   - username: Not empty, without colons and control characters.
    ///   - password: Not empty, without control characters.
    /// - Throws: ``WebSocketError`` `.auth` naming the one that is not so.
    public init(username: String, password: String) throws(WebSocketError) {
        for (name, text) in [("username", username), ("password", password)] {
            if text.isEmpty { throw authProblem(name, "it is empty") }
            if text.hasControlCharacters { throw authProblem(name, "it has control characters") }
        }
        if username.utf8.contains(UInt8(ascii: ":")) { throw authProblem("username", "it has a colon") }
        value = "Basic " + Base64.encode("\(username):\(password)".utf8)
    }

    /// The same value each time.
    public func authorization() -> String { value }

    /// The name of the type alone.
    public var description: String { "Credentials" }
    /// The same.
    public var debugDescription: String { description }
    /// Empty, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
