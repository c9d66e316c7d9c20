/// The two alphabets of RFC 4648.
enum Base64 {
    private static let standard = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Array(standard.dropLast(2) + "-_".utf8)

    /// Section 4, with padding.
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let digits = digits(of: bytes, standard)
        let padding = repeatElement("=", count: (4 - digits.utf8.count % 4) % 4)
        return digits + padding.joined()
    }

    /// Section 5, without padding (RFC 7515 §2).
    static func encodeForURL(_ bytes: some Sequence<UInt8>) -> String { digits(of: bytes, urlSafe) }

    /// A digit for every six bits; the last one is filled up with zeros.
    private static func digits(of bytes: some Sequence<UInt8>, _ alphabet: [UInt8]) -> String {
        var (digits, bits, count): ([UInt8], UInt16, Int) = ([], 0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt16(byte)
            count += 8
            while count >= 6 {
                count -= 6
                digits.append(alphabet[Int(bits >> count & 0x3F)])
            }
            bits &= 0x3F
        }
        if count > 0 { digits.append(alphabet[Int(bits << (6 - count) & 0x3F)]) }
        return String(decoding: digits, as: UTF8.self)
    }
}
