import Testing
import Weft

@Suite("HTTPDate")
struct HTTPDateTests {
    @Test(
        "A date and its text, from the year 1 to 9999",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (.min, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ] as [(Int64, String)])
    func description(seconds: Int64, text: String) {
        #expect(HTTPDate(secondsSince1970: seconds).description == text)
    }

    @Test(
        "Days of four centuries are read back as they were written, with their days of the week")
    func calendar() throws {
        let names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        for day in stride(from: Int64(-134_774), to: 11_323, by: 31) {  // from 1601-01-01 on
            let date = HTTPDate(secondsSince1970: day * 86_400 + 86_399)
            let text = date.description
            #expect(HTTPDate(text) == date)
            #expect(text.hasPrefix(names[Int((day + 4 + 7 * 20_000) % 7)]))
        }
    }

    @Test(
        "Dates are read as leniently as RFC 6265 §5.1.1 asks",
        arguments: [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
            "6 nOvEmBeR 94 8:49:37", "08:49:37 1994 Nov 6", "Nov/6/1994;08:49:37zone",
            "8:49:37x 06th Nov. 1994y",
        ])
    func lenient(text: String) {
        #expect(HTTPDate(text) == HTTPDate(secondsSince1970: 784_111_777))
    }

    @Test("Two digits of a year are 1970 to 2069")
    func centuries() {
        #expect(HTTPDate("1 Jan 70 00:00:00") == HTTPDate(secondsSince1970: 0))
        #expect(HTTPDate("1 Jan 69 00:00:00")?.description == "Tue, 01 Jan 2069 00:00:00 GMT")
    }

    @Test(
        "What names no moment is nil",
        arguments: [
            "", "never", "0", "Sun, 06 Nov 1994", "08:49:37", "06 Nov 1994 24:00:00", "06 Nov 1994 08:60:00",
            "06 Nov 1994 08:49:60", "32 Nov 1994 08:49:37", "31 Nov 1994 08:49:37", "29 Feb 1900 08:49:37",
            "00 Nov 1994 08:49:37", "06 Nov 1600 08:49:37", "06 Nov 19941 08:49:37", "06 Nov 1994 008:49:37",
            "06 Nov 1994 8:49", "06 Nov 1994 :49:37", "06 Nov 1994 8:49:371",
            "٦ Nov 1994 08:49:37", "99999999999999999999 Nov 1994 08:49:37",
        ])
    func unreadable(text: String) {
        #expect(HTTPDate(text) == nil)
    }

    @Test("now is in this century, and dates are ordered")
    func now() {
        #expect(HTTPDate.now > HTTPDate(secondsSince1970: 1_700_000_000))
        #expect(HTTPDate.now < HTTPDate("1 Jan 2100 00:00:00")!)
    }
}
