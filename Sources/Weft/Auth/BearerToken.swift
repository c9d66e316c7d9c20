/// A token that was got elsewhere, sent as RFC 6750 §2.1 has it: `Bearer` and the token.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.auth = try BearerToken("2YotnFZFEjr1zCsicMWpAA")
/// ```
///
/// Whoever has the token is taken for its owner, so it wants TLS. Descriptions leave it out.
public struct BearerToken: ClientAuthentication, Hashable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    private let value: String

    /// A token for every connection.
    ///
    /// - Parameter token: Letters, digits and `-._~+/`, at least one, and then any number of `=`.
    /// - Throws: ``WebSocketError`` `.auth` for another.
    public init(_ token: String) throws(WebSocketError) {
        if let problem = Self.problem(of: token) { throw authProblem("token", problem) }
        value = "Bearer " + token
    }

    /// Nil for a token that can be sent.
    static func problem(of token: String) -> String? {
        if token.isEmpty { return "it is empty" }
        let characters = token.utf8.reversed().drop { $0 == UInt8(ascii: "=") }
        let isToken = !characters.isEmpty && characters.allSatisfy(\.isOfBearerToken)
        return isToken ? nil : "it has a character that no bearer token has (RFC 6750 section 2.1)"
    }

    /// The same value each time.
    public func authorization() -> String { value }

    /// The name of the type alone.
    public var description: String { "BearerToken" }
    /// The same.
    public var debugDescription: String { description }
    /// Empty, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension UInt8 {
    fileprivate var isOfBearerToken: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~+/".utf8.contains(self)
        }
    }
}
