import Foundation

/// Prints a line at once, also into a pipe.
func printLine(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

/// Where the handler of signals writes. Set before the handler is, and never again: no two threads meet here.
private nonisolated(unsafe) var signalPipe: CInt = -1

/// Signals as something to wait for. From its creation on they do not end the program. One a program.
struct Signals {
    private let stream: AsyncStream<CInt>

    init(_ numbers: [CInt]) throws {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "no descriptors for a pipe") }
        let (stream, continuation) = AsyncStream<CInt>.makeStream()
        self.stream = stream
        let readingEnd = ends[0]
        signalPipe = ends[1]
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while read(readingEnd, &byte, 1) == 1 { continuation.yield(CInt(byte)) }
        }
        for number in numbers {
            // A handler of ours, as a DispatchSource on Linux can lose a signal that comes soon after its creation.
            signal(number) { number in
                var byte = UInt8(number)
                _ = write(signalPipe, &byte, 1)
            }
        }
    }

    /// The next one.
    func next() async -> CInt? {
        for await number in stream { return number }
        return nil
    }
}

/// The lines of standard input, read on a thread of their own because reading blocks.
func standardInputLines() -> AsyncStream<String> {
    AsyncStream { continuation in
        Thread.detachNewThread {
            while let line = readLine() { continuation.yield(line) }
            continuation.finish()
        }
    }
}
