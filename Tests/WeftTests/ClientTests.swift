import HTTPTypes
import Synchronization
import Testing
import Weft

@Suite("Client", .timeLimit(.minutes(2)))
struct ClientTests {
    // MARK: Reading

    @Test("Client: messages are read one after the other, and wait until they are")
    func sequentialReads() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            try await client.writeTextMessage("one")
            try await client.writeBinaryMessage([2])
            try await client.writeTextMessage("three")
            #expect(try await client.readTextMessage() == "one")
            #expect(try await client.readBinaryMessage() == [2])
            #expect(try await client.readMessage() == .text("three"))
            try await client.close()
        }
    }

    @Test(
        "unexpectedMessageType: a read of the other kind throws unexpectedMessageType and the message stays for the next read"
    )
    func unexpectedMessageType() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            try await client.writeTextMessage("text")
            let first = try await failure(WebSocketError.self) { _ = try await client.readBinaryMessage() }
            #expect(first.code == .unexpectedMessageType)
            #expect(try await client.readTextMessage() == "text")
            try await client.writeBinaryMessage([1])
            let second = try await failure(WebSocketError.self) { _ = try await client.readTextMessage() }
            #expect(second.code == .unexpectedMessageType)
            #expect(try await client.readMessage() == .binary([1]))
        }
    }

    @Test("readBinaryMessage: gives the bytes as they were, whatever they are")
    func readBinaryMessage() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            for data in [[], Array(0...255), [UInt8](repeating: 0xFF, count: 70_000)] as [[UInt8]] {
                try await client.writeBinaryMessage(data)
                #expect(try await client.readBinaryMessage() == data)
            }
        }
    }

    @Test("readTextMessage: on a closed connection throws connectionClosed with code and reason at once")
    func readAfterTheClose() async throws {
        let service = Recorder { caller, event in
            guard event == .open else { return }
            try await caller.writeTextMessage("last words")
            try await caller.close(statusCode: CloseCode(4004), reason: "gone home")
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            #expect(try await client.readTextMessage() == "last words")
            for _ in 0..<2 {
                let error = try await failure(WebSocketError.self) { _ = try await client.readTextMessage() }
                #expect(error.code == .connectionClosed)
                #expect(error.closeCode == CloseCode(4004))
                #expect(error.message.contains("4004"))
                #expect(error.message.contains("gone home"))
            }
        }
    }

    @Test(
        "connectionClosed: a read that waits ends with it when either side closes, and so do messages",
        arguments: [true, false])
    func closeDuringRead(isOwn: Bool) async throws {
        let service = Recorder { caller, event in
            if event == .text("close") { try await caller.close(statusCode: CloseCode(4004), reason: "late") }
        }
        try await serve(service) { listener in
            let (client, iterating) = (try await Client(listener.url()), try await Client(listener.url()))
            let read = Task { try await client.readTextMessage() }
            let iteration = Task { for try await _ in iterating.messages {} }
            for client in [client, iterating] {
                if isOwn {
                    try await client.close(statusCode: CloseCode(4004), reason: "late")
                } else {
                    try await client.writeTextMessage("close")
                }
            }
            for wait in [{ _ = try await read.value }, { try await iteration.value }] {
                let error = try await failure(WebSocketError.self, wait)
                #expect(error.code == .connectionClosed && error.closeCode == CloseCode(4004))
            }
        }
    }

    @Test("messages: a close of one's own ends them as a normal close of the server does")
    func messagesEndOfOwn() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            try await client.writeTextMessage("one")
            var messages: [Message] = []
            for try await message in client.messages {
                messages.append(message)
                try await client.close()
            }
            #expect(messages == [.text("one")])
        }
    }

    @Test("readMessage: messages that came before the end can still be read after it")
    func readsBeforeTheEnd() async throws {
        let service = Recorder { caller, event in
            guard event == .open else { return }
            for number in 0..<10 { try await caller.writeTextMessage("\(number)") }
            try await caller.close()
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            try await eventually { !client.isOpen }
            for number in 0..<10 { #expect(try await client.readTextMessage() == "\(number)") }
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.closeCode == .normalClosure)
        }
    }

    @Test("connectionLost: a read on a lost connection throws connectionLost")
    func readAfterTheLoss() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            try await listener.immediateStop()
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.code == .connectionLost)
            #expect(error.closeCode == .abnormalClosure)
        }
    }

    @Test("readTextMessage: cancelling ends it with CancellationError and loses no message")
    func cancelledRead() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            let read = Task { try await client.readTextMessage() }
            read.cancel()
            _ = try await failure(CancellationError.self) { _ = try await read.value }
            try await client.writeTextMessage("kept")
            #expect(try await client.readTextMessage() == "kept")
        }
    }

    @Test("readTextMessage: whatever moment it is cancelled in, every message is read once and in order")
    func cancelledReads() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            let count = 200
            let writing = Task { for number in 0..<count { try await client.writeTextMessage("\(number)") } }
            var expected = 0
            while expected < count {
                let read = Task { try await client.readTextMessage() }
                if expected % 3 == 0 { await Task.yield() }
                if expected % 2 == 0 { read.cancel() }
                do {
                    #expect(try await read.value == "\(expected)")
                    expected += 1
                } catch is CancellationError {
                    #expect(try await client.readTextMessage() == "\(expected)")
                    expected += 1
                }
            }
            try await writing.value
        }
    }

    @Test("readTextMessage: reads of several tasks share the messages")
    func concurrentReads() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            let reads = (0..<10).map { _ in Task { try await client.readTextMessage() } }
            for number in 0..<10 { try await client.writeTextMessage("\(number)") }
            var texts: Set<String> = []
            for read in reads { texts.insert(try await read.value) }
            #expect(texts == Set((0..<10).map(String.init)))
        }
    }

    @Test("messages: ends on a normal close", arguments: [1000, 1001] as [UInt16])
    func messagesEnd(code: UInt16) async throws {
        let service = Recorder { caller, event in
            guard event == .open else { return }
            try await caller.writeTextMessage("one")
            try await caller.writeBinaryMessage([2])
            try await caller.close(statusCode: CloseCode(code))
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            var messages: [Message] = []
            for try await message in client.messages { messages.append(message) }
            #expect(messages == [.text("one"), .binary([2])])
        }
    }

    @Test("messages: throws when the connection ends in another way")
    func messagesThrow() async throws {
        let service = Recorder { caller, event in
            guard event == .open else { return }
            try await caller.writeTextMessage("one")
            try await caller.close(statusCode: .policyViolation)
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let messages = Mutex(0)
            let error = try await failure(WebSocketError.self) {
                for try await _ in client.messages { messages.withLock { $0 += 1 } }
            }
            #expect(error.closeCode == .policyViolation)
            #expect(messages.withLock { $0 } == 1)
        }
    }

    @Test("backpressure: messages that nobody reads hold the server back, and none is lost")
    func boundedInbox() async throws {
        let (count, size) = (64, 1 << 20)
        let isSent = Mutex(false)
        let service = Recorder { caller, event in
            guard event == .open else { return }
            for number in 0..<count {
                try await caller.writeBinaryMessage([UInt8](repeating: UInt8(number), count: size))
            }
            isSent.withLock { $0 = true }
        }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.maxMessageSize = size
            configuration.webSocketCompressionEnabled = false  // so that the bytes fill the way
            let client = try await Client(listener.url(), configuration: configuration)
            let caller = try await service.callers.next()
            try await eventually { caller.bufferedAmount > 65536 }
            #expect(!isSent.withLock { $0 })
            for number in 0..<count {
                let data = try await client.readBinaryMessage()
                #expect(data.count == size && data.first == UInt8(number))
            }
        }
    }

    @Test("close(statusCode:reason:timeout:): does not stall when more comes than anybody has read")
    func closeUnread() async throws {
        let service = Recorder { caller, event in
            guard event == .open else { return }
            for number in UInt8.min...(.max) {
                try await caller.writeBinaryMessage([UInt8](repeating: number, count: 1 << 20))
            }
        }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.webSocketCompressionEnabled = false  // so that the bytes fill the way
            let client = try await Client(listener.url(), configuration: configuration)
            let caller = try await service.callers.next()
            try await eventually { caller.bufferedAmount > 65536 }
            try await client.close(timeout: .seconds(20))
            var messages: [UInt8] = []
            for try await case .binary(let data) in client.messages { messages.append(data[0]) }
            #expect(!messages.isEmpty && messages.count < 256)
            #expect(messages.elementsEqual(0..<UInt8(messages.count)))
        }
    }

    @Test("Client: pings are answered whether or not a read is pending")
    func pings() async throws {
        let service = Recorder { caller, event in if event == .open { try await caller.ping([1, 2]) } }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            #expect(try await service.next(2) == [.open, .pong([1, 2])])
            try await client.close()
        }
    }

    // MARK: Sizes

    @Test("maxMessageSize: big messages pass both ways with raised limits", arguments: [1 << 20, 5_000_001])
    func bigMessages(size: Int) async throws {
        var configuration = ServiceConfiguration()
        configuration.maxMessageSize = size
        try await serve(Echo(), configuration) { listener in
            var configuration = ClientConfiguration()
            configuration.maxMessageSize = size
            let client = try await Client(listener.url(), configuration: configuration)
            let text = String(repeating: "x", count: size - 3) + "end"
            try await client.writeTextMessage(text)
            let echo = try await client.readTextMessage()
            #expect(echo.utf8.count == size && echo.hasSuffix("xend"))
        }
    }

    @Test(
        "maxFrameSize: fragments at exact multiples of maxFrameSize are put together", arguments: [1, 2, 3])
    func fragmentMultiples(multiple: Int) async throws {
        var service = ServiceConfiguration()
        service.maxFrameSize = 4096
        try await serve(Echo(), service) { listener in
            var configuration = ClientConfiguration()
            configuration.maxFrameSize = 4096
            let client = try await Client(listener.url(), configuration: configuration)
            for size in [4096 * multiple - 1, 4096 * multiple, 4096 * multiple + 1] {
                let data = (0..<size).map { UInt8($0 & 0xFF) }
                try await client.writeBinaryMessage(data)
                #expect(try await client.readBinaryMessage() == data)
            }
        }
    }

    @Test("maxMessageSize: a message over it is 1009 and its text mentions both numbers")
    func payloadTooLarge() async throws {
        let service = Recorder()
        var limits = ServiceConfiguration()
        limits.maxMessageSize = 1000
        try await serve(service, limits) { listener in
            let client = try await Client(listener.url())
            try await client.writeTextMessage(String(repeating: "x", count: 1234))
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.code == .connectionClosed)
            #expect(error.closeCode == .messageTooBig)
            let events = try await service.next(3)
            #expect(events.prefix(2) == [.open, .error(.payloadTooLarge)])
        }
    }

    @Test(
        "payloadTooLarge: a message from the server over the limit ends the connection with payloadTooLarge and both numbers"
    )
    func payloadTooLargeHere() async throws {
        let service = Recorder { caller, event in
            if event == .open { try await caller.writeBinaryMessage([UInt8](repeating: 0, count: 2345)) }
        }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.maxMessageSize = 2000
            configuration.webSocketCompressionEnabled = false  // so that the size is known beforehand
            let client = try await Client(listener.url(), configuration: configuration)
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.closeCode == .messageTooBig)
            let cause = try #require(error.underlying as? WebSocketError)
            #expect(cause.code == .payloadTooLarge)
            #expect(cause.message.contains("2345") && cause.message.contains("2000"), "\(cause.message)")
            #expect(try await service.next(2) == [.open, .close(.messageTooBig, cause.message)])
        }
    }

    // MARK: Connecting

    @Test("httpResponse: a connection tells the server's answer")
    func httpResponse() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            #expect(client.httpResponse?.status == .switchingProtocols)
            #expect(client.httpResponse?.headerFields[.upgrade]?.lowercased() == "websocket")
        }
    }

    @Test("httpResponse: a refused handshake carries the response: status, headers and body")
    func refused() async throws {
        let server = try RawServer()
        let answering = Task {
            let peer = try await server.accept()
            _ = try await peer.readHead()
            try await peer.send("HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nlater")
        }
        let error = try await failure(WebSocketError.self) { _ = try await Client(server.url) }
        #expect(error.code == .invalidHandshake)
        #expect(error.httpResponse?.status.code == 429)
        #expect(error.httpResponse?.headerFields[.retryAfter] == "7")
        #expect(error.httpResponseBody == Array("later".utf8))
        #expect(error.message.contains("429"))
        try await answering.value
    }

    @Test("httpResponse: at most 8 KiB of a refusal's body are kept")
    func longRefusal() async throws {
        let server = try RawServer()
        let body = String(repeating: "b", count: 20_000)
        let answering = Task {
            let peer = try await server.accept()
            _ = try await peer.readHead()
            try await peer.send("HTTP/1.1 503 Busy\r\nContent-Length: \(body.count)\r\n\r\n\(body)")
            _ = try? await peer.readToEnd()
        }
        let error = try await failure(WebSocketError.self) { _ = try await Client(server.url) }
        #expect(error.httpResponseBody.count == 8192)
        try await answering.value
    }

    @Test(
        "invalidHandshake: an answer that breaks RFC 6455 §4.1 is an invalid handshake",
        arguments: [
            "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "HTTP/1.1 301 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            "220 mail.example.org ESMTP\r\n\r\n",
        ])
    func invalidHandshake(answer: String) async throws {
        let server = try RawServer()
        let answering = Task {
            let peer = try await server.accept()
            _ = try await peer.readHead()
            try await peer.send(answer)
            _ = try? await peer.readToEnd()
        }
        #expect(
            try await failure(WebSocketError.self) { _ = try await Client(server.url) }.code
                == .invalidHandshake)
        try await answering.value
    }

    @Test("connectionLost: a server that ends TCP before its answer: connectionLost")
    func lostHandshake() async throws {
        let server = try RawServer()
        let answering = Task { _ = try await server.accept().readHead() }
        #expect(
            try await failure(WebSocketError.self) { _ = try await Client(server.url) }.code
                == .connectionLost)
        try await answering.value
    }

    @Test("connectionRefused: nobody listens at the address, naming it")
    func connectionRefused() async throws {
        let port = 1  // where nobody listens and no other test can
        let error = try await failure(WebSocketError.self) { _ = try await Client("ws://127.0.0.1:\(port)/") }
        #expect(error.code == .connectionRefused)
        #expect(error.message.contains("\(port)"))
    }

    @Test("nameResolution: a name without an address, naming it")
    func nameResolution() async throws {
        let error = try await failure(WebSocketError.self) {
            _ = try await Client("ws://no-such-host.invalid/")
        }
        #expect(error.code == .nameResolution)
        #expect(error.message.contains("no-such-host.invalid"))
    }

    @Test(
        "invalidURL: no scheme, another scheme, a fragment or a bad host, with the reason",
        arguments: [
            "", "xxx", "127.0.0.1:9090/echo", "localhost:80", "http://localhost/", "//localhost",
            "ws:/localhost", "ws://",
            "ws://localhost/#part",
            "ws://localhost:99999/", "ws://localhost:x/", "ws://bad host/", "ws://localhost/a b", "ws://[::1",
        ])
    func invalidURL(url: String) async throws {
        let error = try await failure(WebSocketError.self) { _ = try await Client(url) }
        #expect(error.code == .invalidURL)
        #expect(!error.message.isEmpty)
    }

    @Test("handshakeTimedOut: a silent server")
    func handshakeTimedOut() async throws {
        let server = try RawServer()
        var configuration = ClientConfiguration()
        configuration.handShakeTimeout = .milliseconds(50)
        let error = try await failure(WebSocketError.self) {
            _ = try await Client(server.url, configuration: configuration)
        }
        #expect(error.code == .handshakeTimedOut)
        withExtendedLifetime(server) {}
    }

    @Test("Client: cancelling the connect ends it with CancellationError and drops TCP")
    func cancelledConnect() async throws {
        let server = try RawServer()
        let url = server.url
        let connecting = Task { try await Client(url) }
        let peer = try await server.accept()
        _ = try await peer.readHead()
        connecting.cancel()
        _ = try await failure(CancellationError.self) { _ = try await connecting.value }
        #expect(try await peer.readToEnd().isEmpty)
        let early = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await Client(url)
        }
        _ = try await failure(CancellationError.self) { _ = try await early.value }
    }

    @Test("Client: dropping the last reference drops the connection")
    func dropped() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            _ = try await Client(listener.url())
            #expect(try await service.next(1) == [.open])
            while case let event = try await service.events.next() {
                if case .close(let code, _) = event {
                    #expect(code == .abnormalClosure)
                    break
                }
            }
        }
    }

    @Test("Client: its caller is gone after its connection and the client")
    func nothingLeaks() async throws {
        try await serve(Echo()) { listener in
            func talk(orderly: Bool) async throws -> (WeakReference<Client>, WeakReference<Caller>) {
                let client = try await Client(listener.url())
                try await client.writeTextMessage("hello")
                _ = try await client.readTextMessage()
                if orderly { try await client.close() }
                return (WeakReference(client), WeakReference(client.caller))
            }
            for orderly in [true, false] {
                let (client, caller) = try await talk(orderly: orderly)
                try await eventually { client.isGone && caller.isGone }
            }
        }
    }
}
