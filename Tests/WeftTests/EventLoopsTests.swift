import Testing
import Weft

@Suite("EventLoops", .timeLimit(.minutes(2)))
struct EventLoopsTests {
    @Test("eventLoops: listeners and clients can share them")
    func shared() async throws {
        let loops = EventLoops(threads: 2)
        #expect(loops.threads == 2)
        var configuration = ListenerConfiguration.local
        configuration.eventLoops = loops
        let copy = configuration
        try await serve(Echo(), on: copy) { first in
            try await serve(Echo(), on: copy) { second in
                for listener in [first, second, first, second] {
                    var configuration = ClientConfiguration()
                    configuration.eventLoops = loops
                    let client = try await Client(listener.url(), configuration: configuration)
                    try await client.writeTextMessage("shared")
                    #expect(try await client.readTextMessage() == "shared")
                    try await client.close()
                }
            }
        }
    }

    @Test("eventLoops: a listener that stops leaves the others on its loops alone")
    func stopOne() async throws {
        let loops = EventLoops()
        var configuration = ListenerConfiguration.local
        configuration.eventLoops = loops
        let copy = configuration
        try await serve(Echo(), on: copy) { first in
            let client = try await Client(first.url())
            try await serve(Echo(), on: copy) { second in
                let other = try await Client(second.url())
                try await second.immediateStop()
                #expect(
                    try await failure(WebSocketError.self) { _ = try await other.readMessage() }.code
                        == .connectionLost)
            }
            try await client.writeTextMessage("still here")
            #expect(try await client.readTextMessage() == "still here")
        }
    }

    @Test("eventLoops: the default of clients is one thread, shared")
    func sharedDefault() {
        #expect(EventLoops.shared.threads == 1)
        #expect(EventLoops.shared === EventLoops.shared)
    }

    @Test(
        "eventLoops: threads out of range throw at the first use and name the field",
        arguments: [-1, 0, 1025])
    func outOfRange(threads: Int) async throws {
        var configuration = ListenerConfiguration.local
        configuration.eventLoops = EventLoops(threads: threads)
        let listener = try Listener(port: 0, configuration: configuration)
        let error = try await failure(WebSocketError.self) { try await listener.start() }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains("threads") && error.message.contains("\(threads)"))
    }

    @Test("eventLoops: the threads end when nothing uses them any more")
    func end() async throws {
        func talk() async throws -> WeakReference<EventLoops> {
            let loops = EventLoops(threads: 2)
            var configuration = ListenerConfiguration.local
            configuration.eventLoops = loops
            return try await serve(Echo(), on: configuration) { listener in
                var configuration = ClientConfiguration()
                configuration.eventLoops = loops
                try await Client(listener.url(), configuration: configuration).close()
                return WeakReference(loops)
            }
        }
        let loops = try await talk()
        try await eventually { loops.isGone }
    }
}
