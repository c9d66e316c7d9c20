import Foundation
import Weft

/// One of the soak's loads: connections whose every echoed byte is compared. Each lives for some messages and is then
/// closed, dropped, or cut by the relay that some of the URLs lead through; another one follows it.
///
/// For each line on its standard input, the seconds of a round, it runs one, waits until all connections have ended,
/// and prints what it has counted so far as a line of JSON.
@main
struct SoakClient {
    static func main() async throws {
        let words = CommandLine.arguments
        guard words.count >= 5, let seed = UInt64(words[1]), let connections = Int(words[3]) else {
            FileHandle.standardError.write(
                Data(
                    "usage: weft-soak SEED AUTHORITY CONNECTIONS URL...   (~ before one that may be cut)\n"
                        .utf8))
            exit(2)
        }
        let tally = Tally()
        var random = RandomSource(state: seed)
        while let line = readLine(), let seconds = Double(line) {
            let end = ContinuousClock.now + .seconds(seconds)
            await withTaskGroup { group in
                for place in 0..<connections {
                    let source = RandomSource(state: random.next())
                    group.addTask {
                        var random = source
                        while ContinuousClock.now < end {
                            let number = random.below(1 << 40) &* connections &+ place
                            let url = words[4...].randomElement(using: &random)!
                            await Life(
                                number: number, url: url, authority: words[2], tally: tally, random: &random
                            ).run()
                        }
                    }
                }
            }
            try FileHandle.standardOutput.write(contentsOf: Data((tally.report() + "\n").utf8))
        }
    }
}
