import Testing
import Weft

@Suite("SocketAddress")
struct SocketAddressTests {
    @Test("SocketAddress: the description is as in a URL")
    func description() {
        #expect(SocketAddress(host: "127.0.0.1", port: 80).description == "127.0.0.1:80")
        #expect(SocketAddress(host: "::1", port: 8080).description == "[::1]:8080")
        #expect(SocketAddress(host: "/run/a:b", port: 0).description == "unix:/run/a:b")
        #expect(SocketAddress(host: "", port: 0).description == "unix:")
    }

    @Test("SocketAddress: addresses are equal by value")
    func equality() {
        #expect(SocketAddress(host: "::1", port: 1) == SocketAddress(host: "::1", port: 1))
        #expect(SocketAddress(host: "::1", port: 1) != SocketAddress(host: "::1", port: 2))
    }
}
