import Logging

/// A logger whose lines a test waits for.
struct LogChannel: LogHandler {
    let lines = Channel<String>()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    var logger: Logger { Logger(label: "test") { _ in self } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.send("\(event.level): \(event.message)") }
}
