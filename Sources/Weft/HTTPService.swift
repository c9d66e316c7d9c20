public import HTTPTypes

/// A plain HTTP request beside the WebSockets of a port, such as for a page or a health check, with its
/// body.
public struct HTTPServiceRequest: Sendable {
    /// Method, path with query, authority and header fields.
    public let head: HTTPRequest
    /// The path without the query, percent-encoded as it was sent.
    public let path: String
    /// What the parameters of the service's path stand for, such as `name` of `/pages/{name}`: percent-decoded,
    /// and what is not UTF-8 repaired. A value may hold any character, slashes too.
    public let pathParameters: [String: String]
    /// What is behind the `?`, as it was sent; empty without one.
    public let query: String
    /// The body, without its chunked coding; empty without one. ``RequestLimits/maxEntityBodySize`` bounds it.
    public let body: [UInt8]
    /// The client's address.
    public let remoteAddress: SocketAddress
}

/// The answer to a plain HTTP request. `Content-Length` and `Connection` are the library's.
public struct HTTPServiceResponse: Sendable {
    /// From 200 to 599.
    public var status: HTTPResponse.Status
    /// The header fields.
    public var headers: HTTPFields
    /// The body; a HEAD request gets its length only.
    public var body: [UInt8]

    /// An answer.
    public init(status: HTTPResponse.Status = .ok, headers: HTTPFields = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer with text, as `text/plain` unless `headers` say otherwise.
    public init(status: HTTPResponse.Status = .ok, headers: HTTPFields = [:], text: String) {
        self.init(status: status, headers: headers, body: Array(text.utf8))
        if self.headers[.contentType] == nil { self.headers[.contentType] = "text/plain; charset=utf-8" }
    }
}

/// Answers the plain HTTP requests of a path.
public protocol HTTPService: Sendable {
    /// The answer. A thrown ``UpgradeError`` is an answer too, ``AuthenticationError`` is 401,
    /// ``AuthorizationError`` 403, and any other error a 500 without its text, which goes to the log.
    func respond(to request: HTTPServiceRequest) async throws -> HTTPServiceResponse
}
