import Synchronization

import class Foundation.Thread

#if canImport(Darwin)
    import Darwin

    private let streamType = SOCK_STREAM
    private let sendFlags: Int32 = 0
#else
    import Glibc

    private let streamType = Int32(SOCK_STREAM.rawValue)
    private let sendFlags = Int32(MSG_NOSIGNAL)
#endif

/// A call of the system that did not work, or an answer that is not the expected one.
struct RawFailure: Error {
    let message: String

    init(_ message: String) { self.message = message }
    init(call: String) { message = "\(call): \(String(cString: strerror(errno)))" }
}

// The names of these calls mean something else inside of ``RawPeer``.

private func openSocket() throws -> Int32 {
    let descriptor = socket(AF_INET, streamType, 0)
    guard descriptor >= 0 else { throw RawFailure(call: "socket") }
    return descriptor
}

private func withLoopback<Result>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result)
    -> Result
{
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            body(pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

private func connectSocket(_ descriptor: Int32, _ port: Int) throws {
    guard withLoopback(port, { connect(descriptor, $0, $1) }) == 0 else { throw RawFailure(call: "connect") }
}

private func sendSome(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>, flags: Int32 = 0) throws -> Int {
    let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, sendFlags | flags) }
    guard count > 0 else { throw RawFailure(call: "send") }
    return count
}

private func acceptSocket(_ descriptor: Int32) throws -> Int32 {
    var accepted: Int32
    repeat { accepted = accept(descriptor, nil, nil) } while accepted < 0 && errno == EINTR
    guard accepted >= 0 else { throw RawFailure(call: "accept") }
    return accepted
}

private func closeSocket(_ descriptor: Int32) { close(descriptor) }

/// One frame on the wire (RFC 6455 §5.2).
struct Frame: Sendable, Equatable {
    /// 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    var opcode: UInt8
    var payload: [UInt8] = []
    var isLast = true

    static func text(_ text: String, isLast: Bool = true) -> Frame {
        Frame(opcode: 1, payload: Array(text.utf8), isLast: isLast)
    }

    static func close(_ code: UInt16, _ reason: String = "") -> Frame {
        Frame(opcode: 8, payload: [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
    }

    /// The code of a close frame.
    var closeCode: UInt16? {
        guard opcode == 8, payload.count >= 2 else { return nil }
        return UInt16(payload[0]) << 8 | UInt16(payload[1])
    }

    /// As a client sends it, with a masking key of zeros.
    var masked: [UInt8] {
        var bytes = [opcode | (isLast ? 0x80 : 0)]
        switch payload.count {
        case ..<126: bytes.append(0x80 | UInt8(payload.count))
        case ..<65536: bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: bytes += [0x80 | 127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xFF) }
        }
        return bytes + [0, 0, 0, 0] + payload
    }
}

/// An HTTP answer on the wire.
struct RawResponse: Sendable {
    let status: Int
    let fields: [String: String]
    let body: String
}

/// A TCP socket that says what no client or server would. It blocks threads of its own, never the tests'.
final class RawPeer: Sendable {
    private let descriptor: Int32
    private let unread = Mutex<[UInt8]>([])

    fileprivate init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    deinit { closeSocket(descriptor) }

    /// Connects; what is to be sent at once leaves before any other task can come between.
    static func connect(_ port: Int, sending first: [UInt8] = []) async throws -> RawPeer {
        try await blocking {
            let peer = RawPeer(try openSocket())
            try connectSocket(peer.descriptor, port)
            var rest = first[...]
            while !rest.isEmpty { rest = rest.dropFirst(try sendSome(peer.descriptor, rest)) }
            return peer
        }
    }

    /// Connects and upgrades.
    static func upgrade(_ port: Int, _ path: String = "/ws", then frames: [Frame] = []) async throws
        -> RawPeer
    {
        let first = Array(Self.upgradeRequest(path).utf8) + frames.flatMap(\.masked)
        let peer = try await connect(port, sending: first)
        let response = try await peer.readResponse()
        guard response.status == 101 else { throw RawFailure("the upgrade was refused: \(response)") }
        return peer
    }

    static func upgradeRequest(_ path: String = "/ws", _ fields: String...) -> String {
        upgradeRequest(path, fields)
    }

    static func upgradeRequest(_ path: String, _ fields: [String]) -> String {
        let fixed = [
            "GET \(path) HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
        ]
        return (fixed + fields).map { $0 + "\r\n" }.joined() + "\r\n"
    }

    // MARK: Sending

    func send(_ bytes: [UInt8]) async throws {
        try await Self.blocking { [descriptor] in
            var rest = bytes[...]
            while !rest.isEmpty { rest = rest.dropFirst(try sendSome(descriptor, rest)) }
        }
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ frames: Frame...) async throws { try await send(frames.flatMap(\.masked)) }

    /// Sends until the other side has not read for a while, and returns how many bytes that were.
    func sendUntilBlocked(_ bytes: [UInt8]) async throws -> Int {
        try await Self.blocking { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&state, 1, 300) > 0 else { break }
                sent += try sendSome(descriptor, bytes[sent...], flags: Int32(MSG_DONTWAIT))
            }
            return sent
        }
    }

    /// From now on letting the socket go ends TCP with a reset, as a crash does.
    func resetAtEnd() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }

    /// Ends our side of TCP in good order.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    // MARK: Reading

    func read(_ count: Int) async throws -> [UInt8] {
        while unread.withLock({ $0.count }) < count { try await receive() }
        return take(count)
    }

    func readFrame() async throws -> Frame {
        let head = try await read(2)
        var length = Int(head[1] & 0x7F)
        if length >= 126 {
            length = try await read(length == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) }
        }
        let mask = head[1] & 0x80 == 0 ? nil : try await read(4)
        var payload = try await read(length)
        if let mask { payload = payload.enumerated().map { $1 ^ mask[$0 & 3] } }
        return Frame(opcode: head[0] & 0x0F, payload: payload, isLast: head[0] & 0x80 != 0)
    }

    /// A request or the head of a response, up to the empty line.
    func readHead() async throws -> String {
        while true {
            let bytes = unread.withLock { $0 }
            if let end = bytes.indices.first(where: { bytes[$0...].starts(with: [13, 10, 13, 10]) }) {
                return String(decoding: take(end + 4), as: UTF8.self)
            }
            try await receive()
        }
    }

    func readResponse(toHead: Bool = false) async throws -> RawResponse {
        let lines = try await readHead().split(separator: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            fields[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        let length = toHead ? 0 : Int(fields["content-length"] ?? "") ?? 0
        let body = try await read(length)
        let status = Int(lines[0].split(separator: " ")[1]) ?? 0
        return RawResponse(status: status, fields: fields, body: String(decoding: body, as: UTF8.self))
    }

    /// Everything until the other side ends TCP.
    func readToEnd() async throws -> [UInt8] {
        while try await receive(mayEnd: true) {}
        return take(unread.withLock { $0.count })
    }

    /// What has come, waiting for some; nil at the end of TCP.
    func readSome() async throws -> [UInt8]? {
        if unread.withLock({ $0.isEmpty }), try await !receive(mayEnd: true) { return nil }
        return take(unread.withLock { $0.count })
    }

    private func take(_ count: Int) -> [UInt8] {
        unread.withLock { unread in
            defer { unread.removeFirst(count) }
            return [UInt8](unread[..<count])
        }
    }

    @discardableResult
    private func receive(mayEnd: Bool = false) async throws -> Bool {
        let bytes = try await Self.blocking { [descriptor] in
            var bytes = [UInt8](repeating: 0, count: 1 << 18)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 || (mayEnd && (count == 0 || errno == ECONNRESET)) else {
                throw count == 0 ? RawFailure("the other side ended TCP") : RawFailure(call: "recv")
            }
            return [UInt8](bytes.prefix(max(count, 0)))
        }
        unread.withLock { $0 += bytes }
        return !bytes.isEmpty
    }

    static func blocking<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}

/// Binds to a free port and tells it.
private func bindSocket(_ descriptor: Int32) throws -> Int {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    guard withLoopback(0, { bind(descriptor, $0, $1) }) == 0 else { throw RawFailure(call: "bind") }
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    guard status == 0 else { throw RawFailure(call: "getsockname") }
    return Int(in_port_t(bigEndian: address.sin_port))
}

/// Whether this program may not listen at the first ports.
let isHumble: Bool = {
    guard let descriptor = try? openSocket() else { return false }
    defer { closeSocket(descriptor) }
    return withLoopback(1) { bind(descriptor, $0, $1) } != 0 && errno == EACCES
}()

/// A TCP server that accepts and then says what the test wants it to say.
final class RawServer: Sendable {
    private let descriptor: Int32
    let port: Int

    init() throws {
        descriptor = try openSocket()
        port = try bindSocket(descriptor)
        guard listen(descriptor, 16) == 0 else { throw RawFailure(call: "listen") }
    }

    deinit { closeSocket(descriptor) }

    var url: String { "ws://127.0.0.1:\(port)/" }

    func accept() async throws -> RawPeer {
        try await RawPeer.blocking { [self] in RawPeer(try acceptSocket(descriptor)) }
    }
}

/// A port that the system gives to nobody else while this lives. Connections to it are refused until a listener of the
/// test's is started there: Linux lets it in beside a socket that does not listen. Elsewhere the port is one that was
/// free a moment ago.
final class ReservedPort: Sendable {
    let port: Int
    private let descriptor: Int32

    init() throws {
        descriptor = try openSocket()
        var isShared: Int32 = 1
        let size = socklen_t(MemoryLayout.size(ofValue: isShared))
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isShared, size)
        port = try bindSocket(descriptor)
        #if !os(Linux)
            closeSocket(descriptor)
        #endif
    }

    #if os(Linux)
        deinit { closeSocket(descriptor) }
    #endif

    func url(_ path: String = "/ws") -> String { "ws://127.0.0.1:\(port)\(path)" }
}
