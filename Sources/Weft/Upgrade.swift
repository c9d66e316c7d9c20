public import HTTPTypes

/// A request to open a WebSocket connection (RFC 6455 §4.1).
///
/// It keeps what the client sent as bytes, and makes the values below each time they are asked for; of ``head`` it
/// keeps the first one.
public struct UpgradeRequest: Sendable {
    let record: RequestRecord
    private let parsed = ParsedHead()

    init(_ record: RequestRecord) { self.record = record }

    /// Method, path with query, authority and header fields.
    public var head: HTTPRequest {
        parsed.head.withLock { head in
            let value = head ?? record.head
            head = value
            return value
        }
    }
    /// The path without the query, percent-encoded as it was sent.
    public var path: String { record.place.path }
    /// What the parameters of the service's path stand for, such as `room` of `/rooms/{room}`: percent-decoded,
    /// and what is not UTF-8 repaired. A value may hold any character, slashes too.
    public var pathParameters: [String: String] { record.place.pathParameters }
    /// What is behind the `?`, as it was sent; empty without one.
    public var query: String { record.place.query }
    /// The client's address.
    public var remoteAddress: SocketAddress { record.remoteAddress }
    /// The address that the client connected to.
    public var localAddress: SocketAddress { record.localAddress }
    /// True over TLS.
    public var isSecure: Bool { record.place.isSecure }
    /// The certificate that the client has shown and that was found good, as DER (RFC 5280 §4.1); nil without one,
    /// as is usual. See ``ListenerSecureSocket/mutualSsl``.
    public var peerCertificate: [UInt8]? { record.peerCertificate }

    /// The subprotocols that the client offers, in its order.
    public var subprotocols: [String] {
        head.headerFields[values: .secWebSocketProtocol].flatMap { value in
            // As bytes, since a client chooses how long the list is and characters are dear to tell apart.
            value.utf8.split(separator: UInt8(ascii: ",")).compactMap { element in
                guard let first = element.firstIndex(where: \.isNotBlank),
                    let last = element.lastIndex(where: \.isNotBlank)
                else { return nil }
                return String(element[first...last])
            }
        }
    }

    /// The `Origin` of the page that the request comes from; nil from most programs.
    public var origin: String? { head.headerFields[.origin] }

    /// The parameters of the query, percent-decoded, in order. A parameter without `=` has an empty value.
    public var queryItems: [(name: String, value: String)] { QueryItems.parse(query) }
}

/// The head that the copies of a request share, once one was asked for it.
private final class ParsedHead: Sendable {
    let head = Locked<HTTPRequest?>(nil)
}

extension UInt8 {
    /// False for the blanks around the elements of a list (RFC 9110 §5.6.3).
    fileprivate var isNotBlank: Bool { self != UInt8(ascii: " ") && self != UInt8(ascii: "\t") }
}

/// What an upgrade service decides: the service that the connection will talk to.
public struct Upgrade: Sendable {
    enum Kind: Sendable {
        case asynchronous(any Service)
        case inline(any InlineService)
    }

    let kind: Kind
    let headers: HTTPFields
    let subprotocol: String?

    /// Opens the connection.
    ///
    /// - Parameters:
    ///   - service: Gets what happens on the connection. One object may serve many connections.
    ///   - headers: Further fields of the 101 answer. The handshake's own, and values with control characters,
    ///     end the request with 500 and an error in the log. `HTTPField` itself turns line breaks and NUL into
    ///     spaces when it is made, so these can add no fields, and no error tells of them.
    ///   - subprotocol: One of those offered, else the request ends with 500 and an error in the log; nil leaves
    ///     the choice to ``ServiceConfiguration/subProtocols``.
    public init(_ service: any Service, headers: HTTPFields = [:], subprotocol: String? = nil) {
        kind = .asynchronous(service)
        self.headers = headers
        self.subprotocol = subprotocol
    }

    /// The same for a service whose callbacks run on the event loop.
    public init(_ service: any InlineService, headers: HTTPFields = [:], subprotocol: String? = nil) {
        kind = .inline(service)
        self.headers = headers
        self.subprotocol = subprotocol
    }
}

/// Decides about the upgrade requests of a path.
///
/// The decision may take its time: the event loop serves others meanwhile.
///
/// ```swift
/// struct Members: UpgradeService {
///     func get(_ request: UpgradeRequest) async throws -> Upgrade {
///         guard await isMember(request.head.headerFields[.authorization]) else {
///             throw UpgradeError(status: .unauthorized, message: "members only")
///         }
///         return Upgrade(Chat())
///     }
/// }
/// ```
public protocol UpgradeService: Sendable {
    /// Settings of the connections; read once, when the service is attached.
    var configuration: ServiceConfiguration { get }

    /// Accepts by returning, refuses by throwing: an ``UpgradeError`` is the answer, ``AuthenticationError`` is
    /// 401, ``AuthorizationError`` 403, and any other error a 500 without its text, which goes to the log.
    func get(_ request: UpgradeRequest) async throws -> Upgrade
}

extension UpgradeService {
    public var configuration: ServiceConfiguration { ServiceConfiguration() }
}

/// Thrown by ``UpgradeService/get(_:)`` or ``HTTPService/respond(to:)``: the HTTP answer instead of the upgrade.
public struct UpgradeError: Error, Sendable, CustomStringConvertible {
    /// From 400 to 599; another one is sent as 400.
    public var status: HTTPResponse.Status { didSet { status = Self.refusal(status) } }
    /// The body of the answer, as plain text.
    public var message: String
    /// Further fields of the answer.
    public var headers: HTTPFields

    /// A refusal.
    public init(status: HTTPResponse.Status = .badRequest, message: String = "", headers: HTTPFields = [:]) {
        self.status = Self.refusal(status)
        self.message = message
        self.headers = headers
    }

    private static func refusal(_ status: HTTPResponse.Status) -> HTTPResponse.Status {
        (400...599).contains(status.code) ? status : .badRequest
    }

    /// Status and message.
    public var description: String { "\(status): \(message)" }
}
