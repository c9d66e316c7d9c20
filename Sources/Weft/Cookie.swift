public import HTTPTypes

/// A cookie (RFC 6265), to be sent with ``ClientConfiguration/cookies`` or received from a server.
public struct Cookie: Sendable, Hashable, CustomStringConvertible {
    /// A token, such as `session`.
    public var name: String
    /// Sent as it is; see ``validate()`` for what a cookie value may have in it.
    public var value: String
    /// The host that the cookie is for and, unless ``hostOnly``, the hosts below it; nil: any host.
    public var domain: String?
    /// The path that the cookie is for, with all below it; nil: any path.
    public var path: String?
    /// When the cookie ends; nil, like no ``maxAge``: with the program.
    public var expires: HTTPDate?
    /// How long the cookie lives from ``createdTime`` on, in whole seconds; rules over ``expires``. Zero or less:
    /// it has ended.
    public var maxAge: Duration?
    /// Not for the scripts of a page. It is sent all the same.
    public var httpOnly: Bool
    /// Only sent over TLS, as to `wss` URLs.
    public var secure: Bool
    /// For ``domain`` itself and not for the hosts below it.
    public var hostOnly: Bool
    /// When the cookie came to be: of two with paths of one length the older one is sent first, and ``maxAge``
    /// counts from here. nil: younger than every other, and ``maxAge`` has not begun.
    public var createdTime: HTTPDate?
    /// For the program's own book-keeping: it is set when a cookie is received.
    public var lastAccessedTime: HTTPDate?

    /// A cookie; what is left out is not there.
    public init(
        name: String, value: String, domain: String? = nil, path: String? = nil, expires: HTTPDate? = nil,
        maxAge: Duration? = nil, httpOnly: Bool = false, secure: Bool = false, hostOnly: Bool = false,
        createdTime: HTTPDate? = nil, lastAccessedTime: HTTPDate? = nil
    ) {
        self.name = name
        self.value = value
        self.domain = domain
        self.path = path
        self.expires = expires
        self.maxAge = maxAge
        self.httpOnly = httpOnly
        self.secure = secure
        self.hostOnly = hostOnly
        self.createdTime = createdTime
        self.lastAccessedTime = lastAccessedTime
    }

    /// True for a cookie that may outlive the program: it has ``expires`` or ``maxAge``.
    public var isPersistent: Bool { expires != nil || maxAge != nil }

    /// True when ``maxAge`` or ``expires`` is over at that moment.
    public func isExpired(at moment: HTTPDate = .now) -> Bool {
        guard let maxAge else { return expires.map { $0 <= moment } ?? false }
        guard maxAge.components.seconds > 0 else { return true }
        return createdTime.map { $0.advanced(by: maxAge.components.seconds) <= moment } ?? false
    }

    /// Becomes as old as the cookie whose place it takes, and ends no other time for that.
    mutating func take(age: HTTPDate) {
        if let maxAge {
            expires = (createdTime ?? .now).advanced(by: maxAge.components.seconds)
            self.maxAge = nil
        }
        createdTime = age
    }

    /// Checks the cookie against the grammar for servers (RFC 6265 §4.1.1): the name is a token, the value has
    /// no control characters, spaces, quotes (but a pair around it), commas, semicolons, backslashes or
    /// non-ASCII, and domain and path have no control characters or semicolons.
    ///
    /// - Throws: ``WebSocketError`` `.invalidConfiguration`, naming the field.
    public func validate() throws(WebSocketError) {
        try Self.check("name", !name.isEmpty && name.utf8.allSatisfy(\.isTokenCharacter), "it is not a token")
        var octets = value.utf8[...]
        if octets.count > 1, octets.first == 0x22, octets.last == 0x22 {
            octets = octets.dropFirst().dropLast()
        }
        try Self.check(
            "value", octets.allSatisfy(\.isCookieOctet),
            "it has a character that RFC 6265 §4.1.1 does not allow")
        try Self.check("domain", domain.map(Self.isAttribute) ?? true, Self.notAnAttribute)
        try Self.check("path", path.map(Self.isAttribute) ?? true, Self.notAnAttribute)
    }

    /// As in a `Set-Cookie` field: `id=7; Path=/; Secure`.
    public var description: String {
        var parts = ["\(name)=\(value)"]
        if let domain, !hostOnly { parts.append("Domain=\(domain)") }
        if let path { parts.append("Path=\(path)") }
        if let expires { parts.append("Expires=\(expires)") }
        if let maxAge { parts.append("Max-Age=\(maxAge.components.seconds)") }
        if secure { parts.append("Secure") }
        if httpOnly { parts.append("HttpOnly") }
        return parts.joined(separator: "; ")
    }

    private static let notAnAttribute = "it has a control character or a semicolon"

    private static func check(_ field: String, _ isGood: Bool, _ problem: String) throws(WebSocketError) {
        if !isGood { throw WebSocketError(.invalidConfiguration, "cookie \(field): \(problem)") }
    }

    private static func isAttribute(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: ";") }
    }
}

// MARK: - Receiving

extension Cookie {
    /// What a `Set-Cookie` field says (RFC 6265 §5.2).
    ///
    /// - Parameters:
    ///   - field: The value of the field. Nearly everything is taken; nil comes of a field without a name or
    ///     `=`, with a control character, or with a name that begins with `__Secure-` without `Secure`, or with
    ///     `__Host-` without `Secure` and `Path=/` or with `Domain`, in letters of either case.
    ///   - url: Where the answer came from. The cookie is then nil when its domain is not the host's or has no
    ///     dot, or when it is ``secure`` and the URL neither `wss` nor `https`, and gets host and path from there
    ///     when it names none. Without a URL it keeps what it names.
    ///   - time: When the cookie came.
    public init?(setCookie field: String, from url: String? = nil, at time: HTTPDate = .now) {
        guard field.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else { return nil }
        let parts = field.utf8.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard let pair = Self.pair(parts[0]), let value = pair.value, !pair.name.isEmpty else { return nil }
        self.init(name: pair.name, value: value, createdTime: time, lastAccessedTime: time)
        for part in parts.dropFirst() {
            if let attribute = Self.pair(part) { take(attribute.name.lowercased(), attribute.value ?? "") }
        }
        hostOnly = domain == nil
        guard keepsPrefix else { return nil }
        guard let url else { return }
        guard let origin = CookieOrigin(url), isFrom(origin) else { return nil }
        if hostOnly { domain = origin.host }
        if path == nil { path = origin.directory }
    }

    private mutating func take(_ name: String, _ value: String) {
        switch name {
        case "expires": expires = HTTPDate(value) ?? expires
        case "max-age": maxAge = Self.seconds(value).map { .seconds($0) } ?? maxAge
        case "domain":
            let bare = value.first == "." ? String(value.dropFirst()) : value
            if !bare.isEmpty { domain = bare.lowercased() }
        case "path": path = value.first == "/" ? value : nil
        case "secure": secure = true
        case "httponly": httpOnly = true
        default: break
        }
    }

    /// What the successor of RFC 6265 (draft-ietf-httpbis-rfc6265bis, §4.1.3) lets servers promise by a name.
    private var keepsPrefix: Bool {
        let name = name.lowercased().utf8
        if name.starts(with: "__host-".utf8) { return secure && hostOnly && path == "/" }
        return !name.starts(with: "__secure-".utf8) || secure
    }

    /// RFC 6265 §5.3: nobody sets cookies for other hosts. A domain without a dot would be a whole top-level
    /// domain. What is for TLS alone does not come from whoever is on the way without it.
    private func isFrom(_ origin: CookieOrigin) -> Bool {
        if secure && !origin.isSecure { return false }
        guard let domain else { return true }
        return origin.host == domain || (domain.contains(".") && origin.isBelow(domain))
    }

    private static func pair(_ part: Substring.UTF8View) -> (name: String, value: String?)? {
        let sides = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = sides.first.map(trimmed) else { return nil }
        return (name, sides.count > 1 ? trimmed(sides[1]) : nil)
    }

    private static func trimmed(_ text: Substring.UTF8View) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        guard let first = text.firstIndex(where: { !isSpace($0) }),
            let last = text.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: text[first...last], as: UTF8.self)
    }

    /// A number of seconds; one that is too long for the type is the longest.
    private static func seconds(_ text: String) -> Int64? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text) ?? (text.utf8.first == UInt8(ascii: "-") ? .min : .max)
    }
}

extension HTTPResponse {
    /// The cookies that this answer sets, in order.
    ///
    /// - Parameter url: Where the answer came from; see ``Cookie/init(setCookie:from:at:)``.
    public func cookies(from url: String? = nil) -> [Cookie] {
        headerFields[values: .setCookie].compactMap { Cookie(setCookie: $0, from: url) }
    }
}

// MARK: - Sending

extension Cookie {
    /// The value of the `Cookie` field for a URL (RFC 6265 §5.4): longest path first, then the oldest; nil when
    /// none fits. Of received cookies servers get back what they have set, so less is asked than of
    /// ``validate()``.
    static func header(_ cookies: [Cookie], for url: String) throws(WebSocketError) -> String? {
        for cookie in cookies {
            let isName = !cookie.name.isEmpty && canBeSent(cookie.name) && !cookie.name.utf8.contains(0x3D)
            try check("name", isName, "it is empty or has a control character, a semicolon or an equals sign")
            try check("value", canBeSent(cookie.value), notAnAttribute)
        }
        let origin = CookieOrigin(url)
        let now = HTTPDate.now
        let fitting = cookies.enumerated().filter { _, cookie in
            !cookie.isExpired(at: now) && cookie.fits(origin)
        }
        let ordered = fitting.sorted { one, other in
            let paths = (one.element.path?.utf8.count ?? 0, other.element.path?.utf8.count ?? 0)
            if paths.0 != paths.1 { return paths.0 > paths.1 }
            let times = (one.element.createdTime, other.element.createdTime)
            if times.0 != times.1 {
                return times.0.map { time in times.1.map { time < $0 } ?? true } ?? false
            }
            return one.offset < other.offset
        }
        guard !ordered.isEmpty else { return nil }
        return ordered.map { "\($0.element.name)=\($0.element.value)" }.joined(separator: "; ")
    }

    /// Tabs too: they may stand in what servers set, and in fields (RFC 9110 §5.5).
    private static func canBeSent(_ text: String) -> Bool {
        text.utf8.allSatisfy { ($0 >= 0x20 || $0 == 0x09) && $0 != 0x7F && $0 != UInt8(ascii: ";") }
    }

    private func fits(_ origin: CookieOrigin?) -> Bool {
        if secure && origin?.isSecure != true { return false }
        if let path, origin?.isBelow(path: path) != true { return false }
        guard var domain = domain?.lowercased(), !domain.isEmpty else { return true }
        if domain.first == "." { domain.removeFirst() }
        return origin?.host == domain || (!hostOnly && origin?.isBelow(domain) == true)
    }
}

/// What of a URL cookies ask about.
struct CookieOrigin {
    let isSecure: Bool
    /// In lower case, without the port; brackets stay.
    let host: String
    let path: String

    init?(_ url: String) {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        isSecure = ["wss", "https"].contains(url[..<scheme.lowerBound].lowercased())
        let rest = url[scheme.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        let target = rest[authority.endIndex...].prefix { !"?#".contains($0) }
        path = target.isEmpty ? "/" : String(target)
        if authority.first == "[" {
            host = authority.prefix { $0 != "]" }.lowercased() + "]"
        } else {
            host = authority.prefix { $0 != ":" }.lowercased()
        }
    }

    /// RFC 6265 §5.1.3; addresses have nothing below them.
    func isBelow(_ domain: String) -> Bool {
        let isAddress =
            host.hasPrefix("[") || host.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) }
        return !isAddress && host.hasSuffix("." + domain)
    }

    /// RFC 6265 §5.1.4.
    func isBelow(path prefix: String) -> Bool {
        guard path != prefix else { return true }
        let (path, prefix) = (path.utf8, prefix.utf8)
        guard path.starts(with: prefix) else { return false }
        return prefix.last == UInt8(ascii: "/") || path.dropFirst(prefix.count).first == UInt8(ascii: "/")
    }

    /// The path up to its last slash (RFC 6265 §5.1.4).
    var directory: String {
        guard path.first == "/", let last = path.lastIndex(of: "/"), last != path.startIndex else {
            return "/"
        }
        return String(path[..<last])
    }
}

extension UInt8 {
    /// RFC 9110 §5.6.2.
    fileprivate var isTokenCharacter: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }

    /// RFC 6265 §4.1.1.
    fileprivate var isCookieOctet: Bool {
        self > 0x20 && self < 0x7F && !"\",;\\".utf8.contains(self)
    }
}
