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
        "CloseCode: each that may be sent arrives with its reason, from either side",
        arguments: [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
        ]
            as [UInt16])
    func sendableCode(code: UInt16) async throws {
        let service = Recorder { caller, event in
            if event == .text("close") { try await caller.close(statusCode: CloseCode(code), reason: "wéll") }
        }
        try await serve(service) { listener in
            let first = try await Client(listener.url())
            try await first.close(statusCode: CloseCode(code), reason: "wéll")
            #expect(try await service.next(2) == [.open, .close(CloseCode(code), "wéll")])
            let second = try await Client(listener.url())
            try await second.writeTextMessage("close")
            let error = try await failure(WebSocketError.self) { _ = try await second.readMessage() }
            #expect(error.code == .connectionClosed && error.closeCode == CloseCode(code))
            #expect(error.message == "the connection is closed with code \(code): wéll")
            #expect(
                try await service.next(3) == [.open, .text("close"), .close(CloseCode(code), "")])
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

    @Test(
        "close(statusCode:reason:timeout:): a timeout of zero sends the frame and does not wait for the answer"
    )
    func zeroTimeout() async throws {
        let service = Recorder()
        let mayClose = Gate()
        let deaf = Recorder { _, event in if event == .open { await mayClose.pass() } }
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in Upgrade(service) }
            try listener.attach(at: "/deaf") { _ -> Upgrade in Upgrade(deaf) }
        }
        try await withListener(attach: attach) { listener in
            let client = try await Client(listener.url("/deaf"))
            let error = try await failure(WebSocketError.self) { try await client.close(timeout: .zero) }
            #expect(error.code == .closeTimedOut)
            #expect(!client.isOpen)
            #expect(
                try await failure(WebSocketError.self) { try await client.writeTextMessage("x") }.closeCode
                    == .abnormalClosure)
            mayClose.open()
            let other = try await Client(listener.url())
            try? await other.close(statusCode: .goingAway, timeout: .zero)
            #expect(try await service.next(2) == [.open, .close(.goingAway, "")])
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

    @Test(
        "connectionClosed: while the closing handshake is under way writes and a second close throw: close frame already sent"
    )
    func writesWhileClosing() async throws {
        let results = Channel<WebSocketError>()
        let service = InlineRecorder { caller, event in
            guard event == .open else { return }
            try caller.close()
            let calls: [() throws -> Void] = [
                { try caller.writeTextMessage("x") }, { try caller.writeBinaryMessage([1]) },
                { try caller.ping() }, { try caller.close() },
            ]
            for call in calls {
                do {
                    try call()
                } catch let error as WebSocketError {
                    results.send(error)
                }
            }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            for _ in 0..<4 {
                let error = try await results.next()
                #expect(error.code == .connectionClosed)
                #expect(error.message == "close frame already sent")
            }
            #expect(try await peer.readFrame() == .close(1000))
            try await peer.send(.close(1000))
            #expect(try await peer.readToEnd().isEmpty)
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
