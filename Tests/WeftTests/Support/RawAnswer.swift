/// The server's side of the opening handshake, for servers that then break the rules.
extension RawPeer {
    /// Reads the request and opens the connection; `frames` go out with the answer.
    func answerUpgrade(then frames: [UInt8] = []) async throws {
        let lines = try await readHead().split(separator: "\r\n")
        let prefix = "sec-websocket-key:"
        guard let line = lines.first(where: { $0.lowercased().hasPrefix(prefix) }) else {
            throw RawFailure("no key in \(lines)")
        }
        let key = line.dropFirst(prefix.count).drop { $0 == " " }
        let accept = base64(sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
        let head = [
            "HTTP/1.1 101 OK", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: \(accept)",
        ]
        try await send(Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + frames)
    }
}

extension Frame {
    /// As a server sends it, of at most 65,535 bytes.
    var unmasked: [UInt8] {
        let first = opcode | (isLast ? 0x80 : 0)
        if payload.count < 126 { return [first, UInt8(payload.count)] + payload }
        return [first, 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
    }
}

/// RFC 3174, for texts of a few blocks.
private func sha1(_ text: [UInt8]) -> [UInt8] {
    var hash: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    var padded = text + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    padded += (0..<8).reversed().map { UInt8((text.count * 8) >> ($0 * 8) & 0xFF) }
    func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
    for block in stride(from: 0, to: padded.count, by: 64) {
        var words = (0..<16).map { word in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + word * 4 + $1]) }
        }
        for index in 16..<80 {
            words.append(
                rotated(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
        }
        var (a, b, c, d, e) = (hash[0], hash[1], hash[2], hash[3], hash[4])
        for index in 0..<80 {
            let (mix, constant): (UInt32, UInt32) =
                switch index {
                case ..<20: ((b & c) | (~b & d), 0x5A82_7999)
                case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case ..<60: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            (a, b, c, d, e) = (rotated(a, 5) &+ mix &+ e &+ constant &+ words[index], a, rotated(b, 30), c, d)
        }
        for (index, word) in [a, b, c, d, e].enumerated() { hash[index] &+= word }
    }
    return hash.flatMap { word in (0..<4).reversed().map { UInt8(word >> ($0 * 8) & 0xFF) } }
}

private func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    return stride(from: 0, to: bytes.count, by: 3).map { start in
        let group = Array(bytes[start..<min(start + 3, bytes.count)])
        let bits = (0..<3).reduce(0) { $0 << 8 | Int($1 < group.count ? group[$1] : 0) }
        return String((0..<4).map { $0 <= group.count ? digits[bits >> (18 - $0 * 6) & 63] : "=" })
    }.joined()
}
