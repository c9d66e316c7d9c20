// A text of JSON that is taken has the value that Foundation gives it, and is read back from what is written of it. What
// Foundation refuses is refused, and else no more than names that are there twice, numbers beyond Double or too long, deep
// nesting, and a comma before the end, which Foundation takes.
import Foundation

/// Foundation rounds an integer beyond 64 bits twice, on its way through Decimal.
private func isNear(_ number: Double, _ other: Double?) -> Bool {
    other.map { abs($0 - number) <= abs(number) * 1e-14 } ?? false
}

/// As JSONSerialization says it.
private func isSame(_ value: JSONValue, _ other: Any) -> Bool {
    switch value {
    case .null: return other is NSNull
    case .bool(let bool): return (other as? Bool) == bool
    case .integer(let integer): return (other as? NSNumber)?.int64Value == Int64(integer)
    case .number(let number): return isNear(number, (other as? NSNumber)?.doubleValue)
    case .string(let string): return (other as? String).map { Array($0.utf8) } == Array(string.utf8)
    case .array(let elements):
        guard let others = other as? [Any], others.count == elements.count else { return false }
        return zip(elements, others).allSatisfy { isSame($0, $1) }
    case .object(let members):
        guard let others = other as? [String: Any], others.count == members.count else { return false }
        return members.allSatisfy { name, member in others[name].map { isSame(member, $0) } ?? false }
    }
}

/// Foundation reads a string in pieces, and takes U+FEFF at the beginning of one for a byte order mark, which it drops.
private func hasByteOrderMark(_ bytes: [UInt8]) -> Bool {
    bytes.indices.contains { bytes[$0...].starts(with: [0xEF, 0xBB, 0xBF]) }
}

private func foundation(_ bytes: [UInt8]) -> Any? {
    try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let value: JSONValue
    do throws(JSONValue.Problem) { value = try JSONValue(parsing: bytes) } catch {
        precondition(error.offset >= 0 && error.offset <= bytes.count)
        let causes = ["twice", "too large", "deeper", "no value begins", "a name is missing"]
        let isStricter = causes.contains { error.cause.contains($0) }
        // Foundation guesses encodings from a byte order mark or a NUL.
        let isPlain = !bytes.contains(0) && bytes.first.map { $0 < 0x80 } ?? false
        precondition(isStricter || !isPlain || foundation(bytes) == nil, "Foundation takes it")
        return 0
    }
    guard let other = foundation(bytes) else {
        preconditionFailure("Foundation refuses it")
    }
    precondition(hasByteOrderMark(bytes) || isSame(value, other))
    let written = Array(value.text.utf8)
    precondition((try? JSONValue(parsing: written)) == value)
    return 0
}
