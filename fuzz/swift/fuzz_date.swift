// A date that is read is written in the one form of RFC 9110 section 5.6.7, which Foundation reads as the same moment and
// which is read back. Any number of seconds becomes such a date too.
import Foundation

private let strict: DateFormatter = {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.calendar = Calendar(identifier: .gregorian)
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return formatter
}()

/// 1601: before, Foundation has the Julian calendar.
private let gregorianStart = HTTPDate(secondsSince1970: -11_644_473_600)

private func check(_ date: HTTPDate) {
    let text = date.description
    precondition(text.utf8.count == 29)
    guard date >= gregorianStart else { return }
    precondition(HTTPDate(text) == date)
    precondition(strict.date(from: text)?.timeIntervalSince1970 == Double(date.secondsSince1970))
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    if let date = HTTPDate(String(decoding: bytes, as: UTF8.self)) { check(date) }
    let seconds = bytes.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
    check(HTTPDate(secondsSince1970: seconds))
    check(HTTPDate(secondsSince1970: seconds % 253_402_300_800))
    return 0
}
