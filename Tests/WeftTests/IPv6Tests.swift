import Testing
import Weft

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Whether the machine has the address `::1`.
private let hasIPv6: Bool = {
    #if os(Linux)
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    #else
        let descriptor = socket(AF_INET6, SOCK_STREAM, 0)
    #endif
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_addr = in6addr_loopback
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
        }
    }
}()

@Suite("IPv6", .enabled(if: hasIPv6), .timeLimit(.minutes(2)))
struct IPv6Tests {
    private func echo(_ url: String) async throws -> SocketAddress {
        let client = try await Client(url)
        try await client.writeTextMessage("hello")
        #expect(try await client.readTextMessage() == "hello")
        try await client.close()
        return client.remoteAddress
    }

    @Test("host: :: is dual stack: clients come by IPv6 and by IPv4")
    func dualStack() async throws {
        var configuration = ListenerConfiguration()
        configuration.host = "::"
        try await serve(Echo(), on: configuration) { listener in
            #expect(listener.localAddress == SocketAddress(host: "::", port: listener.port))
            _ = try await echo("ws://[::1]:\(listener.port)/ws")
            _ = try await echo("ws://127.0.0.1:\(listener.port)/ws")
            _ = try await echo("ws://localhost:\(listener.port)/ws")
        }
    }

    @Test("host: ::1 is reached by its URL in brackets")
    func loopback() async throws {
        var configuration = ListenerConfiguration()
        configuration.host = "::1"
        try await serve(Echo(), on: configuration) { listener in
            #expect(listener.localAddress?.description == "[::1]:\(listener.port)")
            let client = try await Client("ws://[::1]:\(listener.port)/ws")
            #expect(client.remoteAddress == SocketAddress(host: "::1", port: listener.port))
            try await client.close()
        }
    }

    @Test("An address in use is named in brackets")
    func inUse() async throws {
        var configuration = ListenerConfiguration()
        configuration.host = "::1"
        try await serve(Echo(), on: configuration) { [configuration] first in
            let second = try Listener(port: first.port, configuration: configuration)
            let error = try await failure(WebSocketError.self) { try await second.start() }
            #expect(error.code == .addressUnavailable)
            #expect(error.message == "cannot listen on [::1]:\(first.port): address in use")
        }
    }

    @Test("A refusal names the address in brackets")
    func refused() async throws {
        // Where nobody listens and no other test can.
        let error = try await failure(WebSocketError.self) { _ = try await Client("ws://[::1]:1/") }
        #expect(error.code == .connectionRefused)
        #expect(error.message.contains("connection refused by [::1]:1"))
    }
}
