#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A moment as HTTP tells it: a whole second of UTC (RFC 9110 §5.6.7).
///
/// Foundation's `Date` is one conversion away: `HTTPDate(secondsSince1970: Int64(date.timeIntervalSince1970))`.
public struct HTTPDate: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Seconds since 1970-01-01 00:00:00 UTC, negative before, always in the years 1 to 9999.
    public let secondsSince1970: Int64

    /// A moment; one outside of the years 1 to 9999 becomes the nearest inside.
    public init(secondsSince1970: Int64) {
        let (first, last) = (Self.seconds(year: 1), Self.seconds(year: 10_000) - 1)
        self.secondsSince1970 = min(max(secondsSince1970, first), last)
    }

    /// The system's time.
    public static var now: HTTPDate { HTTPDate(secondsSince1970: Int64(time(nil))) }

    public static func < (one: HTTPDate, other: HTTPDate) -> Bool {
        one.secondsSince1970 < other.secondsSince1970
    }

    /// This many seconds later, as far as the calendar goes.
    func advanced(by seconds: Int64) -> HTTPDate {
        let (sum, overflows) = secondsSince1970.addingReportingOverflow(seconds)
        return HTTPDate(secondsSince1970: overflows ? (seconds < 0 ? .min : .max) : sum)
    }

    // MARK: Text

    /// The form that RFC 9110 §5.6.7 asks for: `Sun, 06 Nov 1994 08:49:37 GMT`.
    public var description: String {
        let days = secondsSince1970.dividingRoundingDown(by: 86_400)
        let second = secondsSince1970 - days * 86_400
        let (year, month, day) = Self.civil(days: days)
        let weekday = Self.weekdays[Int(days + 4 - (days + 4).dividingRoundingDown(by: 7) * 7)]
        let date = "\(weekday), \(Self.digits(day, 2)) \(Self.months[Int(month) - 1]) \(Self.digits(year, 4))"
        let (hours, minutes) = (second / 3600, second / 60 % 60)
        return
            "\(date) \(Self.digits(hours, 2)):\(Self.digits(minutes, 2)):\(Self.digits(second % 60, 2)) GMT"
    }

    /// The moment that a text names, read as leniently as cookies ask for (RFC 6265 §5.1.1); nil when it names
    /// none from the year 1601 on.
    public init?(_ text: String) {
        var reader = LenientDate()
        for token in text.utf8.split(whereSeparator: LenientDate.isDelimiter) { reader.take(token) }
        guard let time = reader.time, let day = reader.day, let month = reader.month, var year = reader.year
        else { return nil }
        if (70...99).contains(year) { year += 1900 }
        if (0...69).contains(year) { year += 2000 }
        guard (1...31).contains(day), year >= 1601, time.hour <= 23, time.minute <= 59, time.second <= 59
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        guard Self.civil(days: days) == (year, month, day) else { return nil }
        self.init(secondsSince1970: days * 86_400 + time.hour * 3600 + time.minute * 60 + time.second)
    }

    // MARK: Calendar

    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    /// Days from 0000-03-01 to 1970-01-01. Years that begin in March have their leap day last.
    private static let daysBefore1970: Int64 = 719_468

    private static func seconds(year: Int64) -> Int64 { days(year: year, month: 1, day: 1) * 86_400 }

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month > 2 ? year : year - 1
        let monthFromMarch = (month + 9) % 12
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        return 365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - daysBefore1970
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let daysFromMarch = days + daysBefore1970
        let (cycle, dayOfCycle) = daysFromMarch.quotientAndRemainder(dividingBy: 146_097)
        let leapDays = dayOfCycle / 1460 - dayOfCycle / 36_524 + dayOfCycle / 146_096
        let year = (dayOfCycle - leapDays) / 365
        let dayOfYear = dayOfCycle - (365 * year + year / 4 - year / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        return (cycle * 400 + year + (month <= 2 ? 1 : 0), month, day)
    }

    private static func digits(_ number: Int64, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}

extension Int64 {
    fileprivate func dividingRoundingDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

/// The fields of a date as they turn up, in any order (RFC 6265 §5.1.1).
private struct LenientDate {
    typealias Token = Substring.UTF8View

    var time: (hour: Int64, minute: Int64, second: Int64)?
    var day: Int64?
    var month: Int64?
    var year: Int64?

    static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x09, 0x20...0x2F, 0x3B...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    mutating func take(_ token: Token) {
        if time == nil, let found = Self.time(token) {
            time = found
        } else if day == nil, let found = Self.number(token, digits: 1...2) {
            day = found
        } else if month == nil, let found = Self.month(token) {
            month = found
        } else if year == nil, let found = Self.number(token, digits: 2...4) {
            year = found
        }
    }

    /// The digits that a token begins with, when there are so many of them.
    private static func number(_ token: Token, digits: ClosedRange<Int>) -> Int64? {
        let prefix = token.prefix { (0x30...0x39).contains($0) }
        return digits.contains(prefix.count) ? Int64(Substring(prefix)) : nil
    }

    private static func time(_ token: Token) -> (Int64, Int64, Int64)? {
        let parts = token.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count <= 2, parts[1].count <= 2,
            let hour = Int64(digits: parts[0]), let minute = Int64(digits: parts[1]),
            let second = number(parts[2], digits: 1...2)
        else { return nil }
        return (hour, minute, second)
    }

    private static func month(_ token: Token) -> Int64? {
        let name = Substring(token.prefix(3)).lowercased()
        return HTTPDate.months.firstIndex { $0.lowercased() == name }.map { Int64($0) + 1 }
    }
}

extension Int64 {
    /// From digits alone: no sign.
    fileprivate init?(digits: Substring.UTF8View) {
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        self.init(Substring(digits))
    }
}
