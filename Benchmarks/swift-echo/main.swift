// An echo server to be measured. The main thread just waits: Valgrind does not survive what an asynchronous main,
// or DispatchSemaphore(value: 0).wait(), does with it.

import Foundation
import Weft

let arguments = CommandLine.arguments.dropFirst()

func value(of option: String) -> String? {
    arguments.firstIndex(of: option).flatMap { $0 + 1 < arguments.endIndex ? arguments[$0 + 1] : nil }
}

var configuration = ListenerConfiguration()
configuration.webSocketCompressionEnabled = arguments.contains("--compress")
if let certificate = value(of: "--tls-cert"), let key = value(of: "--tls-key") {
    configuration.secureSocket = ListenerSecureSocket(
        key: .certificate(certFile: certificate, keyFile: key, keyPassword: nil))
}

let listener = try Listener(port: Int(value(of: "--port") ?? "") ?? 0, configuration: configuration)
if arguments.contains("--inline") {
    try listener.attach(at: "*") { _ in InlineEcho() }
} else {
    try listener.attach(at: "*") { _ in AsyncEcho() }
}

let scheme = configuration.secureSocket == nil ? "ws" : "wss"
Task.detached { [listener, scheme] in
    try await listener.start()
    print("weft-echo-benchmark: listening on \(scheme)://\(listener.localAddress!)/ws")
    fflush(nil)
}
DispatchSemaphore(value: 0).wait()
