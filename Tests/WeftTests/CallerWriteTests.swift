import Synchronization
import Testing
import Weft

@Suite("Caller's writes", .timeLimit(.minutes(2)))
struct CallerWriteTests {
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
                try client.caller.writeBinaryMessage(bytes)
                try client.caller.writeTextMessage("at once")
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
}
