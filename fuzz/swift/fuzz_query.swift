// What is encoded for a form is decoded as it was, name by name and in order; any query at all is decoded, and what comes of
// it survives the way there and back; and Cookie fields have clean names and values.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    let half = text.unicodeScalars.count / 2
    let first = String(text.unicodeScalars.prefix(half))
    let second = String(text.unicodeScalars.dropFirst(half))
    check([(name: first, value: second), (name: second, value: first)])
    check(QueryItems.parse(text))
    for (name, value) in CookieField.parse([first, second]) {
        precondition(!name.isEmpty && !name.utf8.contains(UInt8(ascii: "=")))
        precondition(!name.utf8.contains(UInt8(ascii: ";")) && !value.utf8.contains(UInt8(ascii: ";")))
        precondition(CookieField.parse(["\(name)=\(value)"]).map { [$0.name, $0.value] } == [[name, value]])
    }
    return 0
}

private func check(_ items: [(name: String, value: String)]) {
    let encoded = FormEncoding.encode(items)
    precondition(!encoded.utf8.contains { $0 <= 0x20 || $0 >= 0x7F })
    let decoded = QueryItems.parse(encoded)
    precondition(decoded.count == items.count)
    for (one, other) in zip(items, decoded) {
        precondition(Array(one.name.utf8) == Array(other.name.utf8))
        precondition(Array(one.value.utf8) == Array(other.value.utf8))
    }
}
