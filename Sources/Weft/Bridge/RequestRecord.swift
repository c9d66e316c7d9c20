internal import CWeft
import HTTPTypes

/// All that an upgrade request says, in one block of bytes: a connection keeps its request for as long as it lives, and
/// few services ever look at it then. Values are made when they are asked for.
struct RequestRecord: Sendable {
    /// In this order: flags, ports, addresses, method, target, path and query where the target does not tell
    /// them, path parameters, fields, certificate. Texts come behind their lengths.
    private let bytes: [UInt8]

    private static let isSecure: UInt8 = 1
    private static let hasPathApart: UInt8 = 2

    /// A copy of what the core tells of a request that waits for its answer.
    init(_ request: OpaquePointer) {
        var writer = RecordWriter()
        let target = Span(weft_request_target(request))
        let (path, query) = (Span(weft_request_path(request)), Span(weft_request_query(request)))
        let hasPathApart = !Self.isTold(path, query, by: target)
        let flags =
            (weft_request_is_secure(request) ? Self.isSecure : 0) | (hasPathApart ? Self.hasPathApart : 0)
        writer.append(flags)
        writer.append(request, weft_request_remote_host)
        writer.append(request, weft_request_local_host)
        writer.append(Span(weft_request_method(request)))
        writer.append(target)
        if hasPathApart {
            writer.append(path)
            writer.append(query)
        }
        var count = 0
        let parameters = weft_request_path_parameters(request, &count)
        writer.append(count)
        for parameter in Fields(start: parameters, count: count) {
            writer.append(Span(parameter.name))
            writer.append(Span(parameter.value))
        }
        let fields = weft_request_fields(request, &count)
        writer.append(count)
        for field in Fields(start: fields, count: count) {
            FieldTable.write(Span(field.name), Span(field.value), to: &writer)
        }
        writer.append(Span(weft_request_peer_certificate(request)))
        bytes = writer.trimmed
    }

    private typealias Span = UnsafeRawBufferPointer
    private typealias Fields = UnsafeBufferPointer<weft_field>

    /// True where a target is the path and, behind a `?`, the query, as in nearly all requests.
    private static func isTold(_ path: Span, _ query: Span, by target: Span) -> Bool {
        let (ownPath, ownQuery) = split(target)
        return ownPath.elementsEqual(path) && ownQuery.elementsEqual(query)
    }

    private static func split<Bytes: Collection<UInt8>>(
        _ target: Bytes
    ) -> (path: Bytes.SubSequence, query: Bytes.SubSequence) {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else {
            return (target[...], target[target.endIndex...])
        }
        return (target[..<mark], target[target.index(after: mark)...])
    }

    // MARK: What it tells

    /// Everything but the head and the certificate, which only copies would make cheaper.
    struct Place {
        var isSecure: Bool
        var remoteAddress: SocketAddress
        var localAddress: SocketAddress
        var method: String
        var target: String
        var path: String
        var query: String
        var pathParameters: [String: String]
    }

    var place: Place {
        var reader = RecordReader(bytes)
        return read(&reader)
    }

    private func read(_ reader: inout RecordReader) -> Place {
        let flags = reader.byte()
        let (remote, local) = (reader.address(), reader.address())
        let (method, target) = (reader.text(), reader.text())
        var path = ""
        var query = ""
        if flags & Self.hasPathApart != 0 {
            path = reader.text()
            query = reader.text()
        } else {
            let parts = Self.split(target.utf8)
            path = String(decoding: parts.path, as: UTF8.self)
            query = String(decoding: parts.query, as: UTF8.self)
        }
        // The core tells names apart by their bytes, Swift by their characters: of equal ones the first counts.
        let parameters = (0..<reader.number()).map { _ in (reader.text(), reader.text()) }
        return Place(
            isSecure: flags & Self.isSecure != 0, remoteAddress: remote, localAddress: local, method: method,
            target: target, path: path, query: query,
            pathParameters: Dictionary(parameters) { first, _ in first })
    }

    var remoteAddress: SocketAddress {
        var reader = RecordReader(bytes, skipping: 1)
        return reader.address()
    }

    var localAddress: SocketAddress {
        var reader = RecordReader(bytes, skipping: 1)
        _ = reader.address()
        return reader.address()
    }

    var head: HTTPRequest {
        var reader = RecordReader(bytes)
        let place = read(&reader)
        var fields = FieldTable.readAll(from: &reader)
        let authority = fields[FieldTable.host]
        fields[FieldTable.host] = nil
        return HTTPRequest(
            method: HTTPRequest.Method(place.method) ?? .get, scheme: place.isSecure ? "https" : "http",
            authority: authority, path: place.target, headerFields: fields)
    }

    var peerCertificate: [UInt8]? {
        var reader = RecordReader(bytes)
        _ = read(&reader)
        _ = FieldTable.readAll(from: &reader)
        let certificate = reader.piece()
        return certificate.isEmpty ? nil : Array(certificate)
    }
}

/// Fields and names that many requests have, as one byte each.
private enum FieldTable {
    static let host = HTTPField.Name("Host")!

    /// Whole fields; the places are told apart from those of names, which follow.
    private static let fields: [(String, String)] = [
        ("Connection", "Upgrade"), ("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"), ("Pragma", "no-cache"), ("Cache-Control", "no-cache"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"), ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate, br"), ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Sec-Fetch-Dest", "websocket"), ("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Mode", "websocket"),
        ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Site", "cross-site"),
    ]
    private static let names = [
        "Host", "User-Agent", "Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions", "Cookie", "Authorization", "Accept-Language", "Accept-Encoding", "Accept",
        "Connection", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded",
        "X-Request-ID", "Via", "Referer",
    ]
    private static let literal: UInt8 = 0

    private static let fieldBytes = fields.map { (Array($0.0.utf8), Array($0.1.utf8)) }
    private static let nameBytes = names.map { Array($0.utf8) }
    private static let wholeFields = fields.map { HTTPField(name: .init($0.0)!, value: $0.1) }
    private static let fieldNames = names.map { HTTPField.Name($0)! }

    static func write(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to writer: inout RecordWriter
    ) {
        let whole = fieldBytes.firstIndex { isEqual($0.0, name) && isEqual($0.1, value) }
        if let whole { return writer.append(UInt8(whole + 1)) }
        if let known = nameBytes.firstIndex(where: { isEqual($0, name) }) {
            writer.append(UInt8(fieldBytes.count + known + 1))
        } else {
            writer.append(literal)
            writer.append(name)
        }
        writer.append(value)
    }

    /// The same letters in the same case: names come back as they were sent.
    private static func isEqual(_ known: [UInt8], _ bytes: UnsafeRawBufferPointer) -> Bool {
        known.count == bytes.count && known.elementsEqual(bytes)
    }

    static func readAll(from reader: inout RecordReader) -> HTTPFields {
        var all = HTTPFields()
        for _ in 0..<reader.number() {
            let mark = Int(reader.byte())
            if mark > 0, mark <= wholeFields.count {
                all.append(wholeFields[mark - 1])
                continue
            }
            let name =
                mark == 0 ? HTTPField.Name(reader.text()) : fieldNames[mark - wholeFields.count - 1]
            let value = reader.text()
            // Names that HTTPTypes does not take have been refused by the core already.
            if let name { all.append(HTTPField(name: name, value: value)) }
        }
        return all
    }
}

private struct RecordWriter {
    private var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(512) }

    /// No longer than it needs to be: an array made of another one would share its memory.
    var trimmed: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes.count) { room, count in
            count = room.initialize(fromContentsOf: bytes)
        }
    }

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    /// Seven bits a byte, the last ones first.
    mutating func append(_ number: Int) {
        var rest = UInt(number)
        while rest > 0x7f {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func append(_ piece: UnsafeRawBufferPointer) {
        append(piece.count)
        bytes.append(contentsOf: piece)
    }

    mutating func append(
        _ request: OpaquePointer,
        _ get: (OpaquePointer?, UnsafeMutablePointer<UInt16>?) -> UnsafePointer<CChar>?
    ) {
        var port: UInt16 = 0
        let host = String(cString: get(request, &port)!)
        append(Int(port))
        append(host.utf8.count)
        bytes.append(contentsOf: host.utf8)
    }
}

private struct RecordReader {
    private let bytes: [UInt8]
    private var next: Int

    init(_ bytes: [UInt8], skipping count: Int = 0) {
        self.bytes = bytes
        next = count
    }

    mutating func byte() -> UInt8 {
        defer { next += 1 }
        return bytes[next]
    }

    mutating func number() -> Int {
        var (number, shift): (UInt, UInt) = (0, 0)
        while true {
            let byte = byte()
            number |= UInt(byte & 0x7f) << shift
            if byte < 0x80 { return Int(number) }
            shift += 7
        }
    }

    mutating func piece() -> ArraySlice<UInt8> {
        let count = number()
        defer { next += count }
        return bytes[next..<next + count]
    }

    mutating func text() -> String { String(decoding: piece(), as: UTF8.self) }

    mutating func address() -> SocketAddress {
        let port = number()
        return SocketAddress(host: text(), port: port)
    }
}
