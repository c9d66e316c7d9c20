public import HTTPTypes
public import Logging

/// Settings of a ``Client`` or an ``AsyncClient``.
public struct ClientConfiguration: ConnectionConfiguration, Sendable {
    /// Offered in this order, each a token (RFC 9110 §5.6.2) and different from the others; the server must pick
    /// one of them. Default none.
    public var subProtocols: [String] = []
    /// Added to the request. The handshake's own fields cannot be among them, but `Host` and `Origin` can.
    public var customHeaders: HTTPFields = [:]
    /// Sent in one `Cookie` field, as far as they fit the URL and have not ended: longest path first, then the
    /// oldest (RFC 6265 §5.4). A name or value with a control character or a semicolon is an error and nothing is
    /// sent, as is a `Cookie` field in ``customHeaders`` beside them. Default none.
    public var cookies: [Cookie] = []
    /// Gives the request its `Authorization` field, anew for each attempt to connect; one in ``customHeaders``
    /// beside it is an error. Default none.
    public var auth: (any ClientAuthentication)?
    /// How long a read of a ``Client`` waits for a message before it throws `.readTimedOut`; more than zero; nil,
    /// the default, is as long as it takes. The connection stays as it is and no message is lost.
    public var readTimeout: Duration?
    /// How long a write waits for a peer that reads slowly before it throws `.writeTimedOut`; more than zero; nil,
    /// the default, is as long as it takes. The message is queued by then and will be sent all the same if the
    /// peer reads again: close the connection to give up on it.
    public var writeTimeout: Duration?
    /// Is told of pings and pongs instead of the library, which otherwise answers pings. ``Client`` only: the
    /// service of an ``AsyncClient`` is told of them anyway.
    public var pingPongHandler: (any PingPongService)?
    /// For ``auth``, name, TCP, proxy, TLS and upgrade of one attempt; negative means the default, 300 s. Zero is no limit.
    public var handShakeTimeout: Duration = defaultHandShakeTimeout
    public var limits = ConnectionLimits()
    /// Offers permessage-deflate (RFC 7692). Default true.
    public var webSocketCompressionEnabled = true
    /// What is offered then. Default ``CompressionOptions/init(memory:)`` with `.dedicated`: messages may refer to
    /// earlier ones if the server likes that.
    public var compression = CompressionOptions(memory: .dedicated)
    /// TLS for `wss` URLs; nil, the default, is that of ``ClientSecureSocket/init(cert:key:)``: the system's trust
    /// store, the host's name, TLS 1.2 and 1.3.
    public var secureSocket: ClientSecureSocket?
    /// Leads to the server; nil, the default, is none. Not for `ws+unix:` URLs.
    public var proxy: Proxy?
    /// Whether and when a connection that could not be opened is tried again; nil, the default, is never.
    public var retry: RetryConfiguration?
    /// Where the connection lives; nil, the default, is ``EventLoops/shared``.
    public var eventLoops: EventLoops?
    /// Where callbacks' errors and the like are logged; nil is silence.
    public var logger: Logger?

    /// The defaults.
    public init() {}
}

extension ClientConfiguration {
    /// Throws for a value out of range, naming it.
    func check() throws(WebSocketError) {
        if let readTimeout { try ConnectionLimits.check("readTimeout", readTimeout, moreThan: .zero) }
        if let writeTimeout { try ConnectionLimits.check("writeTimeout", writeTimeout, moreThan: .zero) }
    }

    /// Makes the caller of a connection that was dialled.
    var makeCaller: (ConnectionHandle) -> Caller {
        let settings = CallerSettings(logger: logger, writeTimeout: writeTimeout)
        return { handle in Caller(handle: handle, request: nil, settings: settings) }
    }

    /// Adds cookies to ``cookies``, such as those of an answer. One of the same name, domain and path takes the
    /// place of the old one, whose age it keeps; one that has ended only takes the old one away (RFC 6265 §5.3).
    /// With that age ``Cookie/maxAge`` becomes ``Cookie/expires``, since it does not count from there.
    public mutating func addCookies(_ cookies: [Cookie]) {
        for var cookie in cookies {
            let isOver = cookie.isExpired()
            let old = self.cookies.firstIndex {
                $0.name == cookie.name && $0.domain == cookie.domain && $0.path == cookie.path
            }
            if let old, let age = self.cookies.remove(at: old).createdTime { cookie.take(age: age) }
            if !isOver { self.cookies.insert(cookie, at: old ?? self.cookies.endIndex) }
        }
    }

    /// The value of the `Cookie` field that a request to a URL will have; nil when no cookie fits.
    ///
    /// - Throws: ``WebSocketError`` `.invalidConfiguration` for a cookie that cannot be sent.
    public func cookieHeader(for url: String) throws(WebSocketError) -> String? {
        try Cookie.header(cookies, for: url)
    }

    /// The further fields of a request to a URL. HTTPTypes keeps the cookies of a field apart; in HTTP/1.1 they
    /// are one field (RFC 6265 §5.4).
    func headers(for url: String) throws(WebSocketError) -> HTTPFields {
        let (own, cookies) = (customHeaders[.cookie], try cookieHeader(for: url))
        let isOneSource = own == nil || cookies == nil
        try ConnectionLimits.check("cookies", isOneSource, "customHeaders has a Cookie field already")
        let isOneAuthorization = auth == nil || customHeaders[.authorization] == nil
        try ConnectionLimits.check(
            "auth", isOneAuthorization, "customHeaders has an Authorization field already")
        guard let value = own ?? cookies else { return customHeaders }
        var headers = customHeaders
        headers[.cookie] = nil
        headers.append(HTTPField(name: .cookie, lenientValue: Array(value.utf8)))  // for the core to judge
        return headers
    }
}
