extension JSONValue {
    /// What is wrong with a text, and at which byte.
    struct Problem: Error, Equatable {
        let cause: String
        let offset: Int
    }

    /// Arrays and objects in each other, at most.
    static let maxDepth = 32

    /// Reads a text of JSON (RFC 8259) strictly: UTF-8 without a byte order mark, nothing behind the value, no name
    /// twice in an object, no half of a surrogate pair, no number that is beyond `Double` or longer than 128 digits.
    init(parsing bytes: [UInt8]) throws(Problem) {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Problem(cause: "it is not UTF-8", offset: 0)
        }
        var reader = JSONReader(bytes)
        self = try reader.readText()
    }
}

/// One text on its way to its value; the bytes are UTF-8.
private struct JSONReader {
    private let bytes: [UInt8]
    private var offset = 0
    private static let longestNumber = 128

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func readText() throws(JSONValue.Problem) -> JSONValue {
        let value = try readValue(depth: 0)
        skipBlanks()
        if offset < bytes.count { throw problem("something is behind the value") }
        return value
    }

    private func problem(_ cause: String) -> JSONValue.Problem {
        JSONValue.Problem(cause: cause, offset: offset)
    }

    // MARK: Bytes

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipBlanks() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { offset += 1 }
    }

    /// Takes that character if it is the next one.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func take(word: String) -> Bool {
        guard bytes[offset...].starts(with: word.utf8) else { return false }
        offset += word.utf8.count
        return true
    }

    // MARK: Values

    private mutating func readValue(depth: Int) throws(JSONValue.Problem) -> JSONValue {
        skipBlanks()
        guard let byte = next else { throw problem("it ends too early") }
        switch byte {
        case UInt8(ascii: "{"): return try readObject(depth: depth + 1)
        case UInt8(ascii: "["): return try readArray(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try readNumber()
        default: break
        }
        if take(word: "true") { return .bool(true) }
        if take(word: "false") { return .bool(false) }
        if take(word: "null") { return .null }
        throw problem("no value begins here")
    }

    private func check(depth: Int) throws(JSONValue.Problem) {
        if depth > JSONValue.maxDepth { throw problem("it is nested deeper than \(JSONValue.maxDepth)") }
    }

    private mutating func readArray(depth: Int) throws(JSONValue.Problem) -> JSONValue {
        try check(depth: depth)
        var elements: [JSONValue] = []
        offset += 1
        skipBlanks()
        if take("]") { return .array([]) }
        while true {
            elements.append(try readValue(depth: depth))
            skipBlanks()
            if take("]") { return .array(elements) }
            guard take(",") else { throw problem("a comma or the end of an array is missing") }
        }
    }

    private mutating func readObject(depth: Int) throws(JSONValue.Problem) -> JSONValue {
        try check(depth: depth)
        var members: [String: JSONValue] = [:]
        offset += 1
        skipBlanks()
        if take("}") { return .object([:]) }
        while true {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw problem("a name is missing") }
            let start = offset
            let name = try readString()
            if members[name] != nil { throw JSONValue.Problem(cause: "a name is there twice", offset: start) }
            skipBlanks()
            guard take(":") else { throw problem("a colon is missing") }
            members[name] = try readValue(depth: depth)
            skipBlanks()
            if take("}") { return .object(members) }
            guard take(",") else { throw problem("a comma or the end of an object is missing") }
        }
    }

    // MARK: Numbers

    private mutating func skipDigits() throws(JSONValue.Problem) {
        let start = offset
        while let byte = next, 0x30...0x39 ~= byte { offset += 1 }
        if offset == start { throw problem("a digit is missing") }
    }

    private mutating func readNumber() throws(JSONValue.Problem) -> JSONValue {
        let start = offset
        var isInteger = true
        _ = take("-")
        if !take("0") { try skipDigits() }
        if take(".") {
            isInteger = false
            try skipDigits()
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            try skipDigits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard offset - start <= Self.longestNumber, let value = Double(text), value.isFinite else {
            throw JSONValue.Problem(cause: "a number is too large or too long", offset: start)
        }
        return .number(value)
    }

    // MARK: Strings

    private mutating func readString() throws(JSONValue.Problem) -> String {
        var text: [UInt8] = []
        offset += 1
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text += try readEscape().utf8
            case 0..<0x20: throw problem("a control character is in a string")
            default:
                text.append(byte)
                offset += 1
            }
        }
        throw problem("it ends within a string")
    }

    private mutating func readEscape() throws(JSONValue.Problem) -> String {
        offset += 1
        if take("u") { return try readCodePoint() }
        let escapes: [Unicode.Scalar: String] = [
            "\"": "\"", "\\": "\\", "/": "/", "b": "\u{8}", "f": "\u{C}", "n": "\n", "r": "\r", "t": "\t",
        ]
        guard let byte = next, let text = escapes[Unicode.Scalar(byte)] else {
            throw problem("an escape is not known")
        }
        offset += 1
        return text
    }

    private mutating func readCodePoint() throws(JSONValue.Problem) -> String {
        let first = try readHexDigits()
        var units = [first]
        if UTF16.isLeadSurrogate(first) {
            guard take("\\"), take("u") else { throw problem("half of a surrogate pair is missing") }
            units.append(try readHexDigits())
        }
        guard let text = String(validating: units, as: UTF16.self) else {
            throw problem("half of a surrogate pair is missing")
        }
        return text
    }

    private mutating func readHexDigits() throws(JSONValue.Problem) -> UInt16 {
        let digits = bytes[offset...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw problem("four hexadecimal digits are missing") }
        offset += 4
        return unit
    }
}
