import Weft

/// The messages of one connection, the same each time they are asked for.
struct Script: Sendable {
    private static let longestBits = 20  // messages are shorter than 1 MiB,
    private static let commonBits = 16  // most of them than 64 KiB
    private static let longOnes = 32  // one in so many may be longer

    let life: Int
    let seed: UInt64

    func message(_ place: Int) -> Message {
        var random = RandomSource(state: seed &+ UInt64(place))
        let bits = random.below((random.below(Self.longOnes) == 0 ? Self.longestBits : Self.commonBits) + 1)
        let length = Int(random.next() & ((1 << UInt64(bits)) - 1))
        let header = "\(life):\(place);"
        let prefix = length < header.utf8.count ? "" : header
        return random.below(2) == 0
            ? .text(Self.text(prefix, length, &random)) : .binary(Self.bytes(prefix, length, &random))
    }

    private static let letters: [String] = [
        "a", "e", "n", " ", "ä", "ß", "λ", "Ж", "€", "語", "ह", "😀", "🧵",
    ]

    private static func text(_ prefix: String, _ length: Int, _ random: inout RandomSource) -> String {
        var text = prefix
        text.reserveCapacity(length)
        var left = length - prefix.utf8.count
        var word: UInt64 = 0
        while left > 0 {
            if word == 0 { word = random.next() }
            let letter = letters[Int(word & 0xFF) % letters.count]
            word >>= 8
            let size = letter.utf8.count
            text += size <= left ? letter : "x"
            left -= size <= left ? size : 1
        }
        return text
    }

    private static func bytes(_ prefix: String, _ length: Int, _ random: inout RandomSource) -> [UInt8] {
        var bytes = Array(prefix.utf8)
        bytes.reserveCapacity(length + 8)
        while bytes.count < length {
            withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - length)
        return bytes
    }
}

extension Message {
    var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let bytes): bytes.count
        }
    }

    /// What the header of ``Script`` says of it.
    var header: (life: Int, place: Int)? {
        let front: [UInt8] =
            switch self {
            case .text(let text): Array(text.utf8.prefix(40))
            case .binary(let bytes): Array(bytes.prefix(40))
            }
        let words = String(decoding: front.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self).split(
            separator: ":")
        guard words.count == 2, let life = Int(words[0]), let place = Int(words[1]) else { return nil }
        return (life, place)
    }
}
