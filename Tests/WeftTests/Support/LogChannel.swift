import Logging

/// A logger whose entries a test waits for.
struct LogChannel: LogHandler {
    struct Entry: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: Logger.Metadata
    }

    /// Level and message of each entry.
    let lines = Channel<String>()
    /// The same entries with all that they carry.
    let entries = Channel<Entry>()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    var logger: Logger { Logger(label: "test") { _ in self } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.send("\(event.level): \(event.message)")
        let metadata = metadata.merging(event.metadata ?? [:]) { $1 }
        entries.send(Entry(level: event.level, message: event.message.description, metadata: metadata))
    }
}
