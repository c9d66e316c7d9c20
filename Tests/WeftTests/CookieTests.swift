import HTTPTypes
import Testing
import Weft

@Suite("Cookie", .timeLimit(.minutes(2)))
struct CookieTests {
    private let epoch = HTTPDate(secondsSince1970: 0)

    // MARK: What it is

    @Test("Cookie: fields have the defaults of an ordinary cookie")
    func defaults() {
        let cookie = Cookie(name: "id", value: "7")
        #expect(cookie.domain == nil && cookie.path == nil && cookie.expires == nil && cookie.maxAge == nil)
        #expect(!cookie.httpOnly && !cookie.secure && !cookie.hostOnly)
        #expect(cookie.createdTime == nil && cookie.lastAccessedTime == nil)
        #expect(!cookie.isPersistent && !cookie.isExpired())
    }

    @Test("Cookie: description is the Set-Cookie form, and what it says is read back")
    func description() {
        let cookie = Cookie(
            name: "id", value: "7", domain: "example.org", path: "/a", expires: epoch, maxAge: .seconds(90),
            httpOnly: true, secure: true)
        let text =
            "id=7; Domain=example.org; Path=/a; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=90; Secure; HttpOnly"
        #expect(cookie.description == text)
        var back = Cookie(setCookie: text, at: epoch)
        back?.createdTime = nil
        back?.lastAccessedTime = nil
        #expect(back == cookie)
        #expect(Cookie(name: "a", value: "").description == "a=")
        #expect(Cookie(name: "a", value: "b", domain: "example.org", hostOnly: true).description == "a=b")
    }

    @Test("Cookie: isPersistent with expires or maxAge")
    func isPersistent() {
        #expect(Cookie(name: "a", value: "b", expires: epoch).isPersistent)
        #expect(Cookie(name: "a", value: "b", maxAge: .seconds(1)).isPersistent)
    }

    @Test("Cookie: isExpired looks at maxAge first, then at expires")
    func isExpired() {
        let later = HTTPDate(secondsSince1970: 100)
        var cookie = Cookie(name: "a", value: "b", expires: HTTPDate(secondsSince1970: 50))
        #expect(cookie.isExpired(at: later) && !cookie.isExpired(at: epoch))
        cookie.maxAge = .seconds(101)
        #expect(!cookie.isExpired(at: later))
        cookie.createdTime = epoch
        #expect(!cookie.isExpired(at: later))
        cookie.maxAge = .seconds(100)
        #expect(cookie.isExpired(at: later))
        for age in [Duration.zero, .seconds(-1), .seconds(Int64.min)] {
            cookie.maxAge = age
            #expect(cookie.isExpired(at: epoch))
        }
        cookie.maxAge = .seconds(Int64.max)
        #expect(!cookie.isExpired(at: later))
    }

    @Test("Cookie: validate() takes what RFC 6265 §4.1.1 allows")
    func valid() throws {
        for value in ["", "abc", "\"quoted\"", "\"\"", "a=b:c/d!#$%&'()*+-.<>?@[]^_`{|}~"] {
            try Cookie(name: "na-me!", value: value, domain: "example.org", path: "/a b").validate()
        }
    }

    @Test(
        "Cookie: validate() names the field that breaks RFC 6265 §4.1.1",
        arguments: [
            ("name", Cookie(name: "", value: "")), ("name", Cookie(name: "a b", value: "")),
            ("name", Cookie(name: "a=b", value: "")), ("name", Cookie(name: "ä", value: "")),
            ("name", Cookie(name: "a\r\n", value: "")), ("value", Cookie(name: "a", value: "b c")),
            ("value", Cookie(name: "a", value: "b\r\nX: y")), ("value", Cookie(name: "a", value: "b\0")),
            ("value", Cookie(name: "a", value: "b;c")), ("value", Cookie(name: "a", value: "b,c")),
            ("value", Cookie(name: "a", value: "b\\c")), ("value", Cookie(name: "a", value: "ü")),
            ("value", Cookie(name: "a", value: "\"")), ("value", Cookie(name: "a", value: "\"b\"c\"")),
            ("value", Cookie(name: "a", value: "\u{7F}")),
            ("domain", Cookie(name: "a", value: "b", domain: "x;y")),
            ("domain", Cookie(name: "a", value: "b", domain: "x\n")),
            ("path", Cookie(name: "a", value: "b", path: "/;")),
            ("path", Cookie(name: "a", value: "b", path: "/\u{1}")),
        ])
    func invalid(field: String, cookie: Cookie) async throws {
        let error = try await failure(WebSocketError.self) { try cookie.validate() }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.hasPrefix("cookie \(field): "))
    }

    // MARK: Receiving

    @Test("Cookie: a Set-Cookie field is read with every attribute, whatever the case and the spaces")
    func setCookie() throws {
        let cookie = try #require(
            Cookie(
                setCookie:
                    " id =a=b ;DOMAIN=.Example.ORG; path=/x ; max-AGE=60;expires=Thu, 01 Jan 1970 00:00:09 GMT;"
                    + " secure=1 ; HTTPONLY;; unknown=x;=", at: epoch))
        #expect(cookie.name == "id" && cookie.value == "a=b")
        #expect(cookie.domain == "example.org" && cookie.path == "/x" && !cookie.hostOnly)
        #expect(cookie.maxAge == .seconds(60) && cookie.expires == HTTPDate(secondsSince1970: 9))
        #expect(cookie.secure && cookie.httpOnly)
        #expect(cookie.createdTime == epoch && cookie.lastAccessedTime == epoch)
    }

    @Test("Cookie: attributes that make no sense are left out")
    func badAttributes() throws {
        let cookie = try #require(
            Cookie(
                setCookie: "a=b; Expires=never; Max-Age=1x; Max-Age=; Max-Age=-; Path=x; Domain=; Domain=."))
        #expect(!cookie.isPersistent && cookie.path == nil && cookie.domain == nil && cookie.hostOnly)
        let ages = [
            ("99999999999999999999999", Duration.seconds(Int64.max)), ("-5", .seconds(-5)),
            ("007", .seconds(7)),
            ("-99999999999999999999999", .seconds(Int64.min)),
        ]
        for (text, age) in ages { #expect(Cookie(setCookie: "a=b; Max-Age=\(text)")?.maxAge == age) }
    }

    @Test(
        "Cookie: a field without a name or an equals sign, or with control characters, is none",
        arguments: ["", "a", "=b", " =b", ";", "; a=b", "a\0=b", "a=b\r\n", "a=b; path=/\u{1}"])
    func notACookie(field: String) {
        #expect(Cookie(setCookie: field) == nil)
    }

    @Test("Cookie: of an answer from a URL, host and directory are the default")
    func fromURL() throws {
        let urls = [
            ("ws://Example.org:80/a/b?q=/x/", "example.org", "/a"), ("wss://example.org", "example.org", "/"),
            ("ws://127.0.0.1/a", "127.0.0.1", "/"), ("ws://[::1]:80/a/b/", "[::1]", "/a/b"),
        ]
        for (url, host, path) in urls {
            let cookie = try #require(Cookie(setCookie: "a=b", from: url))
            #expect(cookie.domain == host && cookie.path == path && cookie.hostOnly)
        }
    }

    @Test("Cookie: nobody sets cookies for another host or a top-level domain")
    func foreign() {
        let url = "ws://chat.example.org/"
        #expect(Cookie(setCookie: "a=b; Domain=example.org", from: url)?.hostOnly == false)
        #expect(Cookie(setCookie: "a=b; Domain=chat.example.org", from: url) != nil)
        for domain in ["org", "other.example.org", "xample.org", "x.chat.example.org"] {
            #expect(Cookie(setCookie: "a=b; Domain=\(domain)", from: url) == nil, "\(domain)")
        }
        #expect(Cookie(setCookie: "a=b; Domain=0.0.1", from: "ws://127.0.0.1/") == nil)
        #expect(Cookie(setCookie: "a=b", from: "no URL") == nil)
    }

    @Test("Cookie: Secure, __Secure- and __Host- hold against whoever has no TLS or is next door")
    func prefixes() {
        let (host, secure) = ("__Host-id=1; Secure; Path=/", "__Secure-id=1; Secure; Domain=example.org")
        for field in [host, secure, "id=1; Secure"] {
            #expect(Cookie(setCookie: field) != nil)
            for scheme in ["wss", "https"] {
                #expect(Cookie(setCookie: field, from: "\(scheme)://chat.example.org/a/b") != nil)
            }
            for scheme in ["ws", "http"] {
                #expect(Cookie(setCookie: field, from: "\(scheme)://chat.example.org/a/b") == nil)
            }
        }
        let pretenders = [
            "\(host); Domain=example.org", "\(host); Path=/a", "__Host-id=1; Secure", "__host-id=1; Path=/",
            "__Secure-id=1", "__SECURE-id=1; Domain=example.org",
            "__Host-\u{301}=1",
        ]
        for field in pretenders {
            #expect(Cookie(setCookie: field) == nil, "\(field)")
            #expect(Cookie(setCookie: field, from: "wss://chat.example.org/") == nil, "\(field)")
        }
        #expect(Cookie(setCookie: "__Hostile=1", from: "ws://chat.example.org/") != nil)
    }

    @Test("Cookie: nothing that a server sends can stop the program")
    func adversarial() {
        let pieces = [
            "", ";", "=", "\0", "\r\n", "\u{FFFD}", "é", "a=b", "Max-Age=", "-", "9", "Expires=", ":",
            "31 Feb 1999",
            "Path=", "/", "Domain=", ".", " ", "\t", "\"", String(repeating: "x", count: 5000),
        ]
        for first in pieces {
            for second in pieces {
                for third in ["", "/", "=9"] {
                    let text = first + second + third
                    let cookie = Cookie(setCookie: text, from: "ws://" + second + third)
                    _ = (Cookie(setCookie: text)?.description, cookie?.isExpired(), HTTPDate(text))
                    _ = try? cookie?.validate()
                    var configuration = ClientConfiguration()
                    configuration.cookies = [Cookie(name: first, value: second, domain: third, path: text)]
                    _ = try? configuration.cookieHeader(for: text)
                }
            }
        }
    }

    @Test("Cookie: those of a client's answer are at hand")
    func ofAnswer() async throws {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in
                var headers = HTTPFields()
                headers.append(HTTPField(name: .setCookie, value: "a=1; Path=/ws; HttpOnly"))
                headers.append(HTTPField(name: .setCookie, value: "b=2; Domain=example.org"))
                return Upgrade(Echo(), headers: headers)
            }
        }
        try await withListener(attach: attach) { listener in
            let response = try await Client(listener.url()).httpResponse
            let all = try #require(response?.cookies())
            #expect(all.map(\.name) == ["a", "b"])
            let own = try #require(response?.cookies(from: listener.url()))
            #expect(own.map(\.description) == ["a=1; Path=/ws; HttpOnly"])
            #expect(own.first?.domain == "127.0.0.1")
        }
    }

    // MARK: Sending

    private func header(_ url: String, _ cookies: [Cookie]) throws -> String? {
        var configuration = ClientConfiguration()
        configuration.cookies = cookies
        return try configuration.cookieHeader(for: url)
    }

    @Test("cookies: longest path first, then the oldest, then as listed")
    func order() throws {
        let times = [30, 10, 20].map { HTTPDate(secondsSince1970: $0) }
        let cookies = [
            Cookie(name: "none", value: "1"), Cookie(name: "short", value: "2", path: "/a"),
            Cookie(name: "young", value: "3", path: "/a/b", createdTime: times[0]),
            Cookie(name: "old", value: "4", path: "/a/b", createdTime: times[1]),
            Cookie(name: "ageless", value: "5", path: "/a/b"),
            Cookie(name: "middle", value: "6", path: "/a/b", createdTime: times[2]),
            Cookie(name: "last", value: "7"),
        ]
        #expect(
            try header("ws://h/a/b/c", cookies)
                == "old=4; middle=6; young=3; ageless=5; short=2; none=1; last=7")
    }

    @Test("cookies: only those go out that fit host, path and TLS and have not ended")
    func fitting() throws {
        let url = "ws://chat.example.org/a/b?q"
        let fitting = [
            Cookie(name: "a", value: "", domain: "chat.example.org", hostOnly: true),
            Cookie(name: "b", value: "", domain: ".Example.org"), Cookie(name: "c", value: "", path: "/"),
            Cookie(name: "d", value: "", maxAge: .seconds(1)), Cookie(name: "e", value: "", httpOnly: true),
        ]
        #expect(try header(url, fitting) == "c=; a=; b=; d=; e=")
        let others = [
            Cookie(name: "a", value: "", domain: "example.org", hostOnly: true),
            Cookie(name: "b", value: "", domain: "ample.org"), Cookie(name: "c", value: "", path: "/a/"),
            Cookie(name: "d", value: "", path: "/a/b/"), Cookie(name: "e", value: "", path: "/A"),
            Cookie(name: "f", value: "", secure: true), Cookie(name: "g", value: "", expires: epoch),
            Cookie(name: "h", value: "", maxAge: .zero), Cookie(name: "i", value: "", path: "/a/bc"),
            Cookie(name: "j", value: "", domain: "x.chat.example.org"),
        ]
        #expect(try header(url, Array(others.dropFirst(3))) == nil)
        #expect(try header(url, others) == "c=")
        #expect(try header("wss://h", [others[5]]) == "f=")
        #expect(try header("ws://127.0.0.1/", [Cookie(name: "a", value: "", domain: "0.0.1")]) == nil)
        #expect(try header("ws://h", []) == nil)
    }

    @Test("cookies: reach the server in one field")
    func onTheWire() async throws {
        try await withListener(attach: reflectCookies) { listener in
            var configuration = ClientConfiguration()
            configuration.cookies = [
                Cookie(name: "a", value: "1"), Cookie(name: "b", value: "2 3", path: "/ws"),
                Cookie(name: "c", value: "4", domain: "example.org"),
            ]
            let client = try await Client(listener.url(), configuration: configuration)
            #expect(client.httpResponse?.headerFields[.reflected] == "b=2 3; a=1")
            configuration.cookies = []
            configuration.customHeaders[.cookie] = "c=1; d=2"
            let other = try await Client(listener.url(), configuration: configuration)
            #expect(other.httpResponse?.headerFields[.reflected] == "c=1; d=2")
        }
    }

    @Test(
        "cookies: a line break, NUL or semicolon is an error and nothing is sent",
        arguments: ["1\r\nX: y", "1\n", "1\0", "1; b=2", "\u{7F}"])
    func injection(text: String) async throws {
        let server = try RawServer()
        for cookie in [Cookie(name: "a", value: text), Cookie(name: text, value: "a")] {
            var configuration = ClientConfiguration()
            configuration.cookies = [cookie]
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                _ = try await Client(server.url, configuration: copy)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix("cookie "))
        }
        // Whoever comes first is the one who connects now.
        let connecting = Task { [url = server.url] in try await Client(url) }
        #expect(try await server.accept().readHead().hasPrefix("GET"))
        connecting.cancel()
    }

    @Test("cookies: a Cookie field in customHeaders beside them is an error")
    func twoSources() async throws {
        var configuration = ClientConfiguration()
        configuration.customHeaders[.cookie] = "a=1"
        configuration.cookies = [Cookie(name: "b", value: "2")]
        let copy = configuration
        let error = try await failure(WebSocketError.self) {
            _ = try await Client("ws://127.0.0.1:1/", configuration: copy)
        }
        #expect(error.code == .invalidConfiguration)
    }

    @Test(
        "addCookies: puts new ones behind, replaces those of one name, domain and path, drops those that ended"
    )
    func addCookies() throws {
        var configuration = ClientConfiguration()
        configuration.addCookies([
            Cookie(name: "a", value: "1", createdTime: epoch), Cookie(name: "b", value: "1"),
            Cookie(name: "a", value: "1", path: "/"),
        ])
        configuration.addCookies([
            Cookie(name: "a", value: "2", createdTime: HTTPDate(secondsSince1970: 5)),
            Cookie(name: "b", value: "", maxAge: .zero), Cookie(name: "c", value: "3"),
            Cookie(name: "d", value: "4", expires: epoch),
        ])
        #expect(configuration.cookies.map { $0.name + $0.value } == ["a2", "a1", "c3"])
        #expect(configuration.cookies.first?.createdTime == epoch)
        #expect(try configuration.cookieHeader(for: "ws://h/") == "a=1; a=2; c=3")
    }

    @Test("addCookies: a cookie that is set anew keeps its age, and lives as long as it says from now on")
    func renewedCookies() throws {
        let (now, then) = (HTTPDate.now, HTTPDate(secondsSince1970: HTTPDate.now.secondsSince1970 - 100))
        var configuration = ClientConfiguration()
        configuration.addCookies([try #require(Cookie(setCookie: "id=1; Max-Age=1000", at: then))])
        configuration.addCookies([try #require(Cookie(setCookie: "id=2; Max-Age=50", at: now))])
        let renewed = try #require(configuration.cookies.first)
        #expect(renewed.value == "2" && renewed.createdTime == then && renewed.isPersistent)
        #expect(!renewed.isExpired(at: HTTPDate(secondsSince1970: now.secondsSince1970 + 49)))
        #expect(renewed.isExpired(at: HTTPDate(secondsSince1970: now.secondsSince1970 + 50)))
        configuration.addCookies([try #require(Cookie(setCookie: "id=3; Max-Age=0", at: now))])
        #expect(configuration.cookies.isEmpty)
    }

    @Test("cookies: a tab in what a server has set goes back to it")
    func tabGoesBack() throws {
        let cookie = try #require(Cookie(setCookie: "id=a\tb", from: "ws://h/"))
        #expect(try header("ws://h/", [cookie]) == "id=a\tb")
    }

    @Test("cookies: a semicolon ends a cookie of a request whatever comes behind it")
    func marksBehindSemicolons() async throws {
        func attach(_ listener: Listener) throws {
            try listener.attach(at: "/ws") { request -> Upgrade in
                let found = request.cookies.map { "\($0.name)|\($0.value)" }.joined(separator: " ")
                return Upgrade(Echo(), headers: [.reflected: found])
            }
        }
        try await withListener(attach: attach) { listener in
            var configuration = ClientConfiguration()
            configuration.customHeaders[.cookie] = "a=1;\u{301}b=2; c\u{301}=3;d=\u{301}4"
            let client = try await Client(listener.url(), configuration: configuration)
            let found = client.httpResponse?.headerFields[.reflected]
            #expect(found == "a|1 \u{301}b|2 c\u{301}|3 d|\u{301}4")
        }
    }

    private func reflectCookies(_ listener: Listener) throws {
        try listener.attach(at: "/ws") { request -> Upgrade in
            let cookies = request.head.headerFields[values: .cookie]
            #expect(cookies.count == 1)
            return Upgrade(Echo(), headers: [.reflected: cookies.joined(separator: "|")])
        }
    }
}

extension HTTPField.Name {
    fileprivate static let reflected = HTTPField.Name("X-Reflected")!
}
