/// What clients send of cookies (RFC 6265 §4.2.1).
enum CookieField {
    /// Byte by byte: a mark behind a `;` or `=` makes another character of it, and for the client it is none.
    static func parse(_ fields: [String]) -> [(name: String, value: String)] {
        fields.flatMap { $0.utf8.split(separator: UInt8(ascii: ";")) }.compactMap { piece in
            let parts = piece.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            let (name, value) = (trimmed(parts[0]), trimmed(parts[1]))
            return name.isEmpty ? nil : (name, value)
        }
    }

    private static func trimmed(_ text: Substring.UTF8View) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        let start = text.drop(while: isSpace)
        let kept = start.lastIndex { !isSpace($0) }.map { start[...$0] } ?? start
        return String(decoding: kept, as: UTF8.self)
    }
}
