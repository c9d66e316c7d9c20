import Synchronization
import Testing
import Weft

@Suite("Caller", .timeLimit(.minutes(2)))
struct CallerTests {
    // MARK: What it tells

    @Test(
        "setAttribute, getAttribute, removeAttribute: values are kept, read, replaced and removed; removing what is not there gives nil"
    )
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

    @Test("connectionID: ids are unique and stay")
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

    @Test("remoteAddress: both sides know both addresses, also after the end")
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

    @Test("getAttribute: each connection has attributes of its own, which services find again")
    func attributesOfService() async throws {
        let service = Recorder { caller, event in
            guard case .text(let text) = event else { return }
            let count = caller.getAttribute("count") as? Int ?? 0
            caller.setAttribute("count", count + 1)
            try await caller.writeTextMessage("\(text) \(count)")
        }
        try await serve(service) { listener in
            let clients = [try await Client(listener.url()), try await Client(listener.url())]
            for round in 0..<3 {
                for client in clients {
                    try await client.writeTextMessage("round")
                    #expect(try await client.readTextMessage() == "round \(round)")
                }
            }
        }
    }

    @Test("removeAttribute: gives the value back and forgets it, also after the close")
    func removedAttribute() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            client.setAttribute("name", "Ada")
            try await client.close()
            #expect(client.removeAttribute("name") as? String == "Ada")
            #expect(client.removeAttribute("name") == nil)
        }
    }

    @Test("isOpen: true until a close frame goes out or comes in, or the connection is lost")
    func isOpen() async throws {
        let service = Recorder { caller, event in
            switch event {
            case .open, .text: #expect(caller.isOpen)
            default: #expect(!caller.isOpen)
            }
        }
        try await serve(service) { listener in
            let closed = try await Client(listener.url())
            #expect(closed.isOpen && closed.caller.isOpen)
            try await closed.writeTextMessage("x")
            #expect(try await service.next(2) == [.open, .text("x")])
            try await closed.close()
            #expect(!closed.isOpen)
            #expect(try await service.next(1) == [.close(.normalClosure, "")])
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(1) == [.open])
            try await peer.send(.close(1000))
            #expect(try await service.next(1) == [.close(.normalClosure, "")])
            let lost = try await Client(listener.url())
            try await listener.immediateStop()
            try await eventually { !lost.isOpen }
        }
    }

    @Test("isOpen: false at once when close() is called, whether or not the peer answers")
    func isClosing() async throws {
        let states = Channel<[Bool]>()
        let inline = InlineRecorder { caller, event in
            guard event == .open else { return }
            let before = caller.isOpen
            try caller.close()
            states.send([before, caller.isOpen])
        }
        try await serve(inline) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await states.next() == [true, false])
            withExtendedLifetime(peer) {}
        }
    }

    @Test("bufferedAmount: what waits for a peer that does not read, and zero when it has read")
    func bufferedAmount() async throws {
        let callers = Channel<Caller>()
        let keeper = InlineRecorder { caller, event in
            if event == .open { callers.send(caller) }
            if event == .text("flood") {
                #expect(caller.bufferedAmount == 0)
                for _ in 0..<32 { try caller.writeBinaryMessage([UInt8](repeating: 7, count: 500_000)) }
            }
        }
        try await serve(keeper) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("flood")])
            let caller = try await callers.next()
            try await eventually { caller.bufferedAmount > 1_000_000 }
            for _ in 0..<32 { while try await !peer.readFrame().isLast {} }
            try await eventually { caller.bufferedAmount == 0 }
        }
    }

    @Test("negotiatedSubprotocol: known on both sides, nil without one")
    func negotiatedSubprotocol() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.subProtocols = ["v2", "v1"]
        try await serve(service, configuration) { listener in
            var settings = ClientConfiguration()
            settings.subProtocols = ["v1", "v2"]
            let client = try await Client(listener.url(), configuration: settings)
            #expect(client.negotiatedSubprotocol == "v1")
            #expect(try await service.callers.next().negotiatedSubprotocol == "v1")
            #expect(try await Client(listener.url()).negotiatedSubprotocol == nil)
            #expect(try await service.callers.next().negotiatedSubprotocol == nil)
        }
    }

    @Test("isSecure: false without TLS")
    func isSecure() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let caller = try await service.callers.next()
            #expect(!client.isSecure && !caller.isSecure)
        }
    }

    @Test("localAddress: is where the listener listens, and the client's is its own")
    func localAddress() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            #expect(try await service.callers.next().localAddress == listener.localAddress)
            #expect(client.localAddress.port != listener.port && client.localAddress.port > 0)
        }
    }

    @Test("request: the server's caller has the request, the client's has none")
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

    @Test("writeBinaryMessage: messages of 200 writers, of several frames each, never interleave")
    func concurrentWriters() async throws {
        let service = Recorder()
        let (writers, frameSize, frames) = (200, 100, 4)
        var configuration = ServiceConfiguration()
        configuration.maxFrameSize = frameSize
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let caller = try await service.callers.next()
            let writing = (0..<writers).map { writer in
                Task.detached {
                    let size = frameSize * frames - writer % 2
                    try await caller.writeBinaryMessage([UInt8](repeating: UInt8(writer), count: size))
                    try await caller.ping([UInt8(writer)])
                }
            }
            var (messages, pings) = (Set<UInt8>(), Set<UInt8>())
            var current: (writer: UInt8, frames: Int)?
            while messages.count < writers || pings.count < writers {
                let frame = try await peer.readFrame()
                if frame.opcode == 9 {
                    pings.insert(try #require(frame.payload.first))
                    continue
                }
                let writer = try #require(frame.payload.first)
                #expect(frame.opcode == (current == nil ? 2 : 0))
                #expect(current == nil || current?.writer == writer)
                #expect(frame.payload.allSatisfy { $0 == writer })
                current = (writer, (current?.frames ?? 0) + 1)
                guard frame.isLast else { continue }
                #expect(current?.frames == frames)
                messages.insert(writer)
                current = nil
            }
            for task in writing { try await task.value }
        }
    }

    @Test("writeTextMessage: each writer's messages keep their order, from tasks and detached ones")
    func writersOrder() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let caller = try await service.callers.next()
            let (writers, rounds) = (8, 12)
            let writing = (0..<writers).map { writer in
                Task.detached {
                    for round in 0..<rounds {
                        let filling = String(repeating: "ü", count: round % 3 == 0 ? 50_000 : 3)
                        try await caller.writeTextMessage("\(writer) \(round) \(filling)")
                    }
                }
            }
            var next = [Int](repeating: 0, count: writers)
            for _ in 0..<writers * rounds {
                let parts = try await client.readTextMessage().split(separator: " ")
                let writer = try #require(Int(parts[0]))
                #expect(Int(parts[1]) == next[writer])
                #expect(parts[2].utf8.count == (next[writer] % 3 == 0 ? 100_000 : 6))
                next[writer] += 1
            }
            for task in writing { try await task.value }
        }
    }

    @Test("writeTextMessage: works from other tasks while a callback of the connection runs")
    func writesDuringCallback() async throws {
        let mayReturn = Gate()
        let service = Recorder { _, event in if event == .open { await mayReturn.pass() } }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let caller = try await service.callers.next()
            for number in 0..<100 {
                try await caller.writeTextMessage("\(number)")
                #expect(try await client.readTextMessage() == "\(number)")
            }
            mayReturn.open()
            try await client.close()
        }
    }

    @Test("writeBinaryMessage: every form of a write arrives")
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
        "writeBinaryMessage: a message larger than maxFrameSize is sent as fragments of that size",
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
        "writeBinaryMessage: to a slow reader waits above the high-water mark, goes on when it reads, and loses nothing"
    )
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

    @Test("writeBinaryMessage: one that waits for a slow reader fails when the connection is lost")
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

    @Test("sendQueueLimit: over it a write fails with backpressure and nothing is half-sent")
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

    @Test("ping: pings and pongs reach the other side, at most 125 bytes")
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

    @Test("pong: of those that wait for a slow reader the newest is kept, and it arrives")
    func newestPong() async throws {
        let callers = Channel<Caller>()
        let service = InlineRecorder { caller, event in
            guard event == .open else { return }
            for _ in 0..<16 { try caller.writeBinaryMessage([UInt8](repeating: 7, count: 1_000_000)) }
            for number in 0..<100 { try caller.pong([UInt8(number)]) }
            callers.send(caller)
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            _ = try await callers.next()
            var frame = try await peer.readFrame()
            while frame.opcode != 10 { frame = try await peer.readFrame() }
            #expect(frame.payload == [99])
        }
    }

    @Test("controlFrameTooLong: pings and pongs over 125 bytes are an error and nothing is sent")
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

    @Test("close(statusCode:reason:timeout:): returns when the closing handshake is complete")
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

    @Test("close(statusCode:reason:timeout:): sends 1000 by default and an empty frame for nil")
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
        "CloseCode: reserved ones are an error and nothing is sent",
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

    @Test(
        "close(statusCode:reason:timeout:): reasons over 123 bytes of UTF-8 are an error and nothing is sent; 123 are fine"
    )
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

    @Test("closeTimedOut: close with a silent peer drops TCP at the timeout and throws closeTimedOut")
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

    @Test("close(statusCode:reason:timeout:): a negative timeout waits for the peer as long as it takes")
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

    @Test("connectionClosed: after the close every write throws connectionClosed, a second close too")
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

    @Test("connectionClosed: while the closing handshake is under way writes throw: close frame already sent")
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

    @Test("connectionLost: after the peer is lost every write throws connectionLost")
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
