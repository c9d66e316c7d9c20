import Synchronization
import Testing
import Weft

@Suite("Caller", .timeLimit(.minutes(2)))
struct CallerTests {
    // MARK: What it tells

    @Test("Attributes are kept, read, replaced and removed; removing what is not there gives nil")
    func attributes() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            #expect(client.getAttribute("name") == nil)
            #expect(client.removeAttribute("name") == nil)
            client.setAttribute("name", "Ada")
            client.setAttribute("age", 36)
            client.setAttribute("name", "Grace")
            #expect(client.getAttribute("name") as? String == "Grace")
            #expect(client.caller.getAttribute("age") as? Int == 36)
            #expect(client.removeAttribute("name") as? String == "Grace")
            #expect(client.getAttribute("name") == nil)
        }
    }

    @Test("Connection ids are unique and stay")
    func ids() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let first = try await Client(listener.url())
            let second = try await Client(listener.url())
            let callers = [try await service.callers.next(), try await service.callers.next()]
            #expect(Set(callers.map(\.connectionID) + [first.connectionID, second.connectionID]).count == 4)
            #expect(first.connectionID == first.caller.connectionID)
        }
    }

    @Test("Both sides know both addresses, also after the end")
    func addresses() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let caller = try await service.callers.next()
            try await client.close()
            #expect(client.remoteAddress == listener.localAddress)
            #expect(client.remoteAddress == caller.localAddress)
            #expect(client.localAddress == caller.remoteAddress)
            #expect(client.localAddress.host == "127.0.0.1")
            #expect(!client.isSecure)
        }
    }

    @Test("The server's caller has the request, the client's has none")
    func request() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url("/ws?room=7"))
            let caller = try await service.callers.next()
            #expect(caller.request?.query == "room=7")
            #expect(client.caller.request == nil)
        }
    }

    // MARK: Writing

    @Test("Messages of concurrent writers never interleave, be they long or short, from tasks or detached")
    func concurrentWriters() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.maxFrameSize = 1000
        try await serve(service, configuration) { listener in
            let client = try await Client(listener.url())
            let caller = try await service.callers.next()
            let (writers, rounds) = (8, 12)
            let writing = (0..<writers).map { writer in
                Task.detached {
                    for round in 0..<rounds {
                        let size = round % 3 == 0 ? 30_000 : 7
                        let data = [UInt8](repeating: UInt8(writer), count: size) + [UInt8(round)]
                        try await caller.writeBinaryMessage(data)
                    }
                }
            }
            var next = [Int](repeating: 0, count: writers)
            for _ in 0..<writers * rounds {
                let data = try await client.readBinaryMessage()
                let writer = Int(data[0])
                #expect(data.dropLast().allSatisfy { $0 == writer })
                #expect(data.last == UInt8(next[writer]))
                next[writer] += 1
            }
            for task in writing { try await task.value }
        }
    }

    @Test("Every form of a write arrives")
    func forms() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            let bytes: [UInt8] = [1, 2, 3]
            try await client.writeBinaryMessage(bytes[1...])
            try await client.writeBinaryMessage(1...3)
            try await client.writeBinaryMessage(ContiguousArray(bytes))
            try await client.writeTextMessage("")
            try await client.writeTextMessage("grüße 🧵")
            func writeBorrowed() throws {
                try client.caller.writeBinaryMessage(bytes.span.bytes)
                try client.writeBinaryMessage(bytes)
                try client.writeTextMessage("at once")
            }
            try writeBorrowed()
            #expect(try await client.readBinaryMessage() == [2, 3])
            #expect(try await client.readBinaryMessage() == [1, 2, 3])
            #expect(try await client.readBinaryMessage() == [1, 2, 3])
            #expect(try await client.readTextMessage() == "")
            #expect(try await client.readTextMessage() == "grüße 🧵")
            #expect(try await client.readBinaryMessage() == [1, 2, 3])
            #expect(try await client.readBinaryMessage() == [1, 2, 3])
            #expect(try await client.readTextMessage() == "at once")
        }
    }

    @Test(
        "A message larger than maxFrameSize is sent as fragments of that size",
        arguments: [0, 1, 99, 100, 101, 200, 201, 300])
    func fragments(size: Int) async throws {
        let message = (0..<size).map { UInt8($0 & 0xFF) }
        let service = Recorder { caller, event in
            if event == .open { try await caller.writeBinaryMessage(message) }
        }
        var configuration = ServiceConfiguration()
        configuration.maxFrameSize = 100
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            var frames = [try await peer.readFrame()]
            while frames.last?.isLast == false { frames.append(try await peer.readFrame()) }
            #expect(frames.count == max(1, (size + 99) / 100))
            #expect(frames.map(\.opcode) == [2] + [UInt8](repeating: 0, count: frames.count - 1))
            #expect(frames.dropLast().allSatisfy { $0.payload.count == 100 })
            #expect(frames.flatMap(\.payload) == message)
        }
    }

    @Test(
        "A write to a slow reader waits above the high-water mark, goes on when it reads, and loses nothing")
    func slowReader() async throws {
        let (count, size) = (48, 1 << 20)
        let isWritten = Mutex(false)
        let highest = Mutex(0)
        let service = Recorder { caller, event in
            guard event == .open else { return }
            for number in 0..<count {
                try await caller.writeBinaryMessage([UInt8](repeating: UInt8(number), count: size))
                highest.withLock { $0 = max($0, caller.bufferedAmount) }
            }
            isWritten.withLock { $0 = true }
        }
        var configuration = ServiceConfiguration()
        configuration.maxFrameSize = size
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let caller = try await service.callers.next()
            try await eventually { caller.bufferedAmount > 65536 }
            #expect(!isWritten.withLock { $0 })
            for number in 0..<count {
                let frame = try await peer.readFrame()
                #expect(frame.payload.count == size && frame.payload.first == UInt8(number))
            }
            try await eventually { isWritten.withLock { $0 } }
            try await eventually { caller.bufferedAmount == 0 }
            #expect(highest.withLock { $0 } <= 65536)
        }
    }

    @Test("A write that waits for a slow reader fails when the connection is lost")
    func waitingWriteEnds() async throws {
        let result = Channel<WebSocketError.Code?>()
        let service = Recorder { caller, event in
            guard event == .open else { return }
            do {
                while true { try await caller.writeBinaryMessage([UInt8](repeating: 1, count: 1 << 20)) }
            } catch {
                result.send((error as? WebSocketError)?.code)
            }
        }
        try await serve(service) { listener in
            var peer: RawPeer? = try await RawPeer.upgrade(listener.port)
            let caller = try await service.callers.next()
            try await eventually { caller.bufferedAmount > 65536 }
            peer?.resetAtEnd()
            peer = nil
            #expect(try await result.next() == .connectionLost)
        }
    }

    @Test("Over sendQueueLimit a write fails with backpressure and nothing is half-sent")
    func backpressure() async throws {
        let accepted = Channel<Int>()
        let message = [UInt8](repeating: 5, count: 10_000)
        let service = InlineRecorder { caller, event in
            guard event == .open else { return }
            var count = 0
            do {
                while true {
                    try caller.writeBinaryMessage(message)
                    count += 1
                }
            } catch let error as WebSocketError {
                #expect(error.code == .backpressure)
                #expect(caller.isOpen)
                #expect(caller.bufferedAmount <= 100_000)
            }
            accepted.send(count)
        }
        var configuration = ServiceConfiguration()
        configuration.sendQueueLimit = 100_000
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let count = try await accepted.next()
            #expect(count > 0)
            for _ in 0..<count { #expect(try await peer.readFrame() == Frame(opcode: 2, payload: message)) }
            try await peer.send(Frame(opcode: 9))
            #expect(try await service.next(2) == [.open, .ping([])])
        }
    }

    // MARK: Pings

    @Test("ping and pong reach the other side, at most 125 bytes")
    func pings() async throws {
        let service = Recorder { caller, event in
            if case .ping(let data) = event { try await caller.pong(data.reversed()) }
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let longest = [UInt8](repeating: 1, count: 125)
            try await client.ping()
            try await client.ping([1, 2])
            try await client.pong(longest)
            #expect(try await service.next(4) == [.open, .ping([]), .ping([1, 2]), .pong(longest)])
        }
    }

    @Test("Pings and pongs over 125 bytes are an error and nothing is sent")
    func longPing() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let data = [UInt8](repeating: 0, count: 126)
            #expect(
                try await failure(WebSocketError.self) { try await client.ping(data) }.code
                    == .controlFrameTooLong)
            #expect(
                try await failure(WebSocketError.self) { try await client.pong(data) }.code
                    == .controlFrameTooLong)
            try await client.writeTextMessage("next")
            #expect(try await service.next(2) == [.open, .text("next")])
        }
    }

    // MARK: Closing

    @Test("close returns when the closing handshake is complete")
    func close() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            #expect(client.isOpen)
            try await client.close(statusCode: CloseCode(4001), reason: "see you tomorrow")
            #expect(!client.isOpen)
            #expect(try await service.next(2) == [.open, .close(CloseCode(4001), "see you tomorrow")])
        }
    }

    @Test("close sends 1000 by default and an empty frame for nil")
    func closeFrames() async throws {
        let service = Recorder { caller, event in
            if event == .text("default") { try await caller.close() }
            if event == .text("nil") { try await caller.close(statusCode: nil) }
        }
        try await serve(service) { listener in
            for (text, frame) in [("default", Frame.close(1000)), ("nil", Frame(opcode: 8))] {
                let peer = try await RawPeer.upgrade(listener.port)
                try await peer.send(.text(text))
                #expect(try await peer.readFrame() == frame)
                try await peer.send(frame)
                #expect(try await peer.readToEnd().isEmpty)
            }
        }
    }

    @Test(
        "Reserved close codes are an error and nothing is sent",
        arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] as [UInt16])
    func reservedCode(code: UInt16) async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let error = try await failure(WebSocketError.self) {
                try await client.close(statusCode: CloseCode(code))
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains("\(code)"))
            #expect(client.isOpen)
            try await client.writeTextMessage("open")
            #expect(try await service.next(2) == [.open, .text("open")])
        }
    }

    @Test("Close reasons over 123 bytes of UTF-8 are an error and nothing is sent; 123 are fine")
    func longReason() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let longest = String(repeating: "ü", count: 61) + "!"
            let error = try await failure(WebSocketError.self) {
                try await client.close(reason: longest + "!")
            }
            #expect(error.code == .invalidConfiguration)
            let codeless = try await failure(WebSocketError.self) {
                try await client.close(statusCode: nil, reason: "why")
            }
            #expect(codeless.code == .invalidConfiguration)
            #expect(client.isOpen)
            try await client.close(reason: longest)
            #expect(try await service.next(2) == [.open, .close(.normalClosure, longest)])
        }
    }

    @Test("close with a silent peer drops TCP at the timeout and throws closeTimedOut")
    func closeTimedOut() async throws {
        let result = Channel<WebSocketError.Code?>()
        let service = Recorder { caller, event in
            guard event == .open else { return }
            do {
                try await caller.close(timeout: .milliseconds(30))
                result.send(nil)
            } catch {
                result.send((error as? WebSocketError)?.code)
            }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await peer.readFrame().closeCode == 1000)
            #expect(try await peer.readToEnd().isEmpty)
            #expect(try await result.next() == .closeTimedOut)
            #expect(try await service.next(2) == [.open, .error(.closeTimedOut)])
            guard case .close(.abnormalClosure, _) = try await service.events.next() else {
                Issue.record("no 1006")
                return
            }
        }
    }

    @Test("A negative timeout waits for the peer as long as it takes")
    func negativeTimeout() async throws {
        let isClosed = Channel<Void>()
        let service = Recorder { caller, event in
            guard event == .open else { return }
            try await caller.close(timeout: .seconds(-1))
            isClosed.send(())
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await peer.readFrame().closeCode == 1000)
            try await peer.send(.close(1000))
            try await isClosed.next()
            #expect(try await service.next(2) == [.open, .close(.normalClosure, "")])
        }
    }

    @Test("After the close every write throws connectionClosed, a second close too")
    func writesAfterTheClose() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            try await client.close()
            let writes: [() async throws -> Void] = [
                { try await client.writeTextMessage("x") }, { try await client.writeBinaryMessage([1]) },
                { try await client.ping() }, { try await client.pong() }, { try await client.close() },
            ]
            for write in writes {
                let error = try await failure(WebSocketError.self, write)
                #expect(error.code == .connectionClosed)
                #expect(error.closeCode == .normalClosure)
            }
        }
    }

    @Test("While the closing handshake is under way writes throw: close frame already sent")
    func writesWhileClosing() async throws {
        let result = Channel<WebSocketError>()
        let service = InlineRecorder { caller, event in
            guard event == .open else { return }
            try caller.close()
            do {
                try caller.writeTextMessage("x")
            } catch let error as WebSocketError {
                result.send(error)
            }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let error = try await result.next()
            #expect(error.code == .connectionClosed)
            #expect(error.message == "close frame already sent")
            try await peer.send(.close(1000))
            #expect(try await service.next(2) == [.open, .close(.normalClosure, "")])
        }
    }

    @Test("After the peer is lost every write throws connectionLost")
    func writesAfterTheLoss() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            try await listener.immediateStop()
            _ = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            let error = try await failure(WebSocketError.self) { try await client.writeTextMessage("x") }
            #expect(error.code == .connectionLost)
            #expect(error.closeCode == .abnormalClosure)
            let caller = try await service.callers.next()
            #expect(
                try await failure(WebSocketError.self) { try await caller.ping() }.code == .connectionLost)
        }
    }
}
