import Testing

@testable import Weft

@Suite("JSONReader", .timeLimit(.minutes(2)))
struct JSONReaderTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    private func problem(_ bytes: [UInt8]) throws -> JSONValue.Problem {
        try #require(#expect(throws: JSONValue.Problem.self) { _ = try JSONValue(parsing: bytes) })
    }

    @Test(
        "Values are read as RFC 8259 has them",
        arguments: [
            ("null", nil), (" true\n", true), ("\tfalse\r", false), ("0", 0), ("-0", 0), ("-12", -12),
            ("9223372036854775807", .integer(.max)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)),
            ("1.5", 1.5), ("1e3", .number(1000)), ("-2.5E-7", .number(-2.5e-7)), ("1E+2", .number(100)),
            ("\"\"", ""), ("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\u{8}\u{C}\n\r\t"),
            ("\"\\u00e4\\u20AC\\ud83d\\ude00\\u0000\"", "ä€😀\0"), ("\"ä€😀\"", "ä€😀"), ("[]", []),
            ("\"\u{FEFF}a\\n\u{FEFF}\"", "\u{FEFF}a\n\u{FEFF}"),
            ("[ 1 , [ ] ,{}]", [1, [], [:]]), ("{}", [:]), ("{ \"a\" : { \"\" : null } }", ["a": ["": nil]]),
        ] as [(String, JSONValue)])
    func values(text: String, value: JSONValue) throws { #expect(try parse(text) == value) }

    @Test(
        "What is no JSON is refused, and where",
        arguments: [
            ("", "it ends too early", 0), ("  ", "it ends too early", 2), ("nul", "no value begins here", 0),
            ("NaN", "no value begins here", 0), ("'a'", "no value begins here", 0),
            ("1 2", "something is behind the value", 2), ("01", "something is behind the value", 1),
            ("-", "a digit is missing", 1), ("1.", "a digit is missing", 2),
            (".5", "no value begins here", 0),
            ("1e", "a digit is missing", 2), ("+1", "no value begins here", 0),
            ("1e999", "a number is too large or too long", 0), ("\"a", "it ends within a string", 2),
            ("\"\u{1}\"", "a control character is in a string", 1), ("\"\\x\"", "an escape is not known", 2),
            ("\"\\u12g4\"", "four hexadecimal digits are missing", 3),
            ("\"\\u+123\"", "four hexadecimal digits are missing", 3),
            ("\"\\ud83d\"", "half of a surrogate pair is missing", 7),
            ("\"\\ude00\"", "half of a surrogate pair is missing", 7),
            ("\"\\ud83d\\u0041\"", "half of a surrogate pair is missing", 13),
            ("[1", "a comma or the end of an array is missing", 2), ("[1,]", "no value begins here", 3),
            ("{\"a\":1", "a comma or the end of an object is missing", 6),
            ("{\"a\"}", "a colon is missing", 4),
            ("{1:2}", "a name is missing", 1), ("{\"a\":1,}", "a name is missing", 7),
            ("{\"a\":1,\"\\u0061\":2}", "a name is there twice", 7), ("\u{FEFF}1", "no value begins here", 0),
        ])
    func refusals(text: String, cause: String, offset: Int) throws {
        #expect(try problem(Array(text.utf8)) == JSONValue.Problem(cause: cause, offset: offset))
    }

    @Test("Bytes that are not UTF-8 are refused")
    func encoding() throws { #expect(try problem([0x22, 0xFF, 0x22]).cause == "it is not UTF-8") }

    @Test("Depth and length of numbers are bounded")
    func bounds() throws {
        let nested = { (depth: Int) in
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try parse(nested(32))
        #expect(try problem(Array(nested(33).utf8)).cause == "it is nested deeper than 32")
        let deep = String(repeating: "{\"a\":[", count: 100_000)
        #expect(try problem(Array(deep.utf8)).cause == "it is nested deeper than 32")
        _ = try parse(String(repeating: "1", count: 128))
        #expect(try problem(Array(repeating: 0x31, count: 129)).cause == "a number is too large or too long")
    }

    @Test("What was written is read back, and no cut or change of it traps or hangs")
    func mutations() throws {
        var random = SystemRandomNumberGenerator()
        let seeds: [JSONValue] = [
            ["access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer", "expires_in": 3600],
            ["a": ["b": [1, -2.5e-7, nil, true, "ä😀\u{1}\"\\"], "c": [:]], "": [[], [[1e300]]]],
        ]
        for seed in seeds {
            let text = Array(seed.text.utf8)
            #expect(try JSONValue(parsing: text) == seed)
            for end in text.indices {
                #expect(throws: JSONValue.Problem.self) { _ = try JSONValue(parsing: Array(text[..<end])) }
            }
            for _ in 0..<20_000 {
                var changed = text
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let place = Int.random(in: changed.indices, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: changed[place] = .random(in: 0...255, using: &random)
                    case 1: changed.insert("{}[]\",:\\u0e-".utf8.randomElement(using: &random)!, at: place)
                    default: if changed.count > 1 { changed.remove(at: place) }
                    }
                }
                guard let value = try? JSONValue(parsing: changed) else { continue }
                #expect(try JSONValue(parsing: Array(value.text.utf8)).text == value.text)
            }
        }
    }
}
