// What a Set-Cookie field says is said again by the cookie that came of it, is nobody else's, and goes out to where it
// came from. The first byte chooses the URL.
private let urls = [
    "wss://chat.example.org/rooms/1", "ws://example.org", "wss://[::1]:8443/a/", "ws://127.0.0.1/a?b=/c",
]

private func check(_ cookie: Cookie, from url: String) {
    guard let origin = CookieOrigin(url) else { preconditionFailure("the URL is no URL") }
    guard let domain = cookie.domain else { preconditionFailure("a cookie for everybody") }
    precondition(origin.host == domain || (!cookie.hostOnly && origin.isBelow(domain)), "somebody else's")
    let now = HTTPDate.now
    let mayGo = (!cookie.secure || origin.isSecure) && !cookie.isExpired(at: now.advanced(by: 60))
    guard mayGo, let path = cookie.path, origin.isBelow(path: path) else { return }
    do throws(WebSocketError) {
        let header = try Cookie.header([cookie], for: url)
        precondition(header == "\(cookie.name)=\(cookie.value)")
    } catch { preconditionFailure("\(error)") }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    guard let choice = bytes.first else { return 0 }
    let field = String(decoding: bytes.dropFirst(), as: UTF8.self)
    let url = urls[Int(choice) % urls.count]
    let time = HTTPDate.now
    if let cookie = Cookie(setCookie: field, from: url, at: time) { check(cookie, from: url) }
    guard let cookie = Cookie(setCookie: field, at: time) else { return 0 }
    // What stands behind the dot before a domain is kept, and would be left out then.
    let isKept = cookie.domain?.utf8.first.map { " \t.".utf8.contains($0) } ?? false
    precondition(isKept || Cookie(setCookie: cookie.description, at: time) == cookie)
    return 0
}
