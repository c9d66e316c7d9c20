// A WebSocket echo server on SwiftNIO, on one event loop. The callbacks of NIO's channel handlers, which are
// its fast path; with --async, NIO's own async channels.

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

let largestFrame = 16 << 20

/// Answers on the event loop, and flushes once for all messages of one read.
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = Self.unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary, .continuation:
            let echo = WebSocketFrame(fin: frame.fin, opcode: frame.opcode, data: frame.unmaskedData)
            context.write(Self.wrapOutboundOut(echo), promise: nil)
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.write(Self.wrapOutboundOut(pong), promise: nil)
        default:
            if frame.opcode == .connectionClose { context.close(promise: nil) }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

func echo(_ channel: Frames) async {
    try? await channel.executeThenClose { inbound, outbound in
        for try await frame in inbound {
            switch frame.opcode {
            case .text, .binary, .continuation:
                let echo = WebSocketFrame(fin: frame.fin, opcode: frame.opcode, data: frame.unmaskedData)
                try await outbound.write(echo)
            case .ping:
                try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
            default:
                if frame.opcode == .connectionClose { return }
            }
        }
    }
}

struct Options {
    var port = 0
    var isAsync = false
    var certificate: String?
    var key: String?

    init?(_ words: [String]) {
        var rest = words.makeIterator()
        while let word = rest.next() {
            switch word {
            case "--async": isAsync = true
            case "--tls-cert": certificate = rest.next()
            case "--tls-key": key = rest.next()
            default:
                guard let number = UInt16(word) else { return nil }
                port = Int(number)
            }
        }
        if (certificate == nil) != (key == nil) { return nil }
    }

    func tls() throws -> NIOSSLContext? {
        guard let certificate, let key else { return nil }
        let chain = try NIOSSLCertificate.fromPEMFile(certificate).map {
            NIOSSLCertificateSource.certificate($0)
        }
        let privateKey = try NIOSSLPrivateKey(file: key, format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(privateKey)))
    }
}

guard let options = Options(Array(CommandLine.arguments.dropFirst())) else {
    print("usage: nio-echo PORT [--async] [--tls-cert FILE --tls-key FILE]")
    throw CancellationError()
}
let tls = try options.tls()
let isAsync = options.isAsync
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

let upgrader = NIOWebSocketServerUpgrader(
    maxFrameSize: largestFrame,
    shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
    upgradePipelineHandler: { channel, _ in
        channel.eventLoop.makeCompletedFuture {
            if isAsync {
                let frames = try Frames(wrappingChannelSynchronously: channel)
                Task { await echo(frames) }
            } else {
                try channel.pipeline.syncOperations.addHandler(EchoHandler())
            }
        }
    })

let server = try await ServerBootstrap(group: group)
    .serverChannelOption(.backlog, value: 4096)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
            try pipeline.configureHTTPServerPipeline(
                withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        }
    }
    .bind(host: "127.0.0.1", port: options.port)
    .get()
print("nio-echo: listening on \(tls == nil ? "ws" : "wss")://127.0.0.1:\(server.localAddress?.port ?? 0)/")
fflush(nil)
try await server.closeFuture.get()
