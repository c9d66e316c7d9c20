internal import CWeft
import HTTPTypes

extension UnsafeRawBufferPointer {
    /// The bytes of a view of the core, for as long as it lives.
    init(_ view: weft_string) { self.init(start: view.bytes, count: view.length) }
}

extension [UInt8] {
    /// A copy of a view of the core.
    init(_ view: weft_string) { self.init(UnsafeRawBufferPointer(view)) }
}

extension String {
    /// A copy of a view of the core.
    init(_ view: weft_string) {
        let bytes = UnsafeRawBufferPointer(start: view.bytes, count: view.length)
        self.init(decoding: bytes, as: UTF8.self)
    }

    /// Lends the UTF-8 as a view for the time of the call.
    func withView<Result, Failure: Error>(
        _ body: (weft_string) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var copy = self
        var result: Swift.Result<Result, Failure>?
        copy.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                let view = weft_string(bytes: characters.baseAddress, length: characters.count)
                do throws(Failure) {
                    result = .success(try body(view))
                } catch {
                    result = .failure(error)
                }
            }
        }
        return try result!.get()
    }
}

extension HTTPFields {
    /// Copies of the core's fields. Names that HTTPTypes does not take have been refused by the core already.
    init(_ fields: UnsafePointer<weft_field>?, count: Int) {
        self.init()
        for field in UnsafeBufferPointer(start: fields, count: count) {
            guard let name = HTTPField.Name(String(field.name)) else { continue }
            append(HTTPField(name: name, value: String(field.value)))
        }
    }

    /// Lends the fields as the core's for the time of the call.
    func withViews<Result, Failure: Error>(
        _ body: (UnsafePointer<weft_field>?, Int) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let storage = FieldStorage(self)
        defer { withExtendedLifetime(storage) {} }
        return try body(storage.fields.baseAddress.map { UnsafePointer($0) }, storage.fields.count)
    }
}

/// The bytes of some fields, and views of them.
private final class FieldStorage {
    let fields: UnsafeMutableBufferPointer<weft_field>
    private let bytes: UnsafeMutableBufferPointer<CChar>

    init(_ source: HTTPFields) {
        let pairs = source.map { (Array($0.name.rawName.utf8), Array($0.value.utf8)) }
        bytes = .allocate(capacity: pairs.reduce(0) { $0 + $1.0.count + $1.1.count })
        fields = .allocate(capacity: pairs.count)
        var end = 0
        for (index, pair) in pairs.enumerated() {
            let field = weft_field(name: copy(pair.0, &end), value: copy(pair.1, &end))
            fields.initializeElement(at: index, to: field)
        }
    }

    private func copy(_ source: [UInt8], _ end: inout Int) -> weft_string {
        let start = end
        for byte in source {
            bytes.initializeElement(at: end, to: CChar(bitPattern: byte))
            end += 1
        }
        return weft_string(bytes: bytes.baseAddress.map { UnsafePointer($0 + start) }, length: source.count)
    }

    deinit {
        fields.deallocate()
        bytes.deallocate()
    }
}

/// Lends a text, closed by a NUL, for the time of the call; nil is a null pointer.
func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}
