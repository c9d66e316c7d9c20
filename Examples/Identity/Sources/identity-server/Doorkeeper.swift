import Logging
import Weft

/// Decides who may enter.
struct Doorkeeper: UpgradeService {
    let passwords: Passwords
    let tokens: Tokens
    let devices: Devices
    let logger: Logger
    /// With the origins that may connect: other pages are refused before `get` is asked.
    let configuration: ServiceConfiguration

    func get(_ request: UpgradeRequest) async throws -> Upgrade {
        do {
            // scrypt and signatures compute: off the event loop, which serves others meanwhile.
            let identity = try await withTaskExecutorPreference(globalConcurrentExecutor) {
                try await identify(request)
            }
            return Upgrade(Desk(identity: identity))
        } catch let refusal as Refusal {
            logger.info("refused \(request.remoteAddress): \(refusal)")
            throw answer(to: refusal)
        }
    }

    /// What the request says decides; a certificate counts where it says nothing.
    private func identify(_ request: UpgradeRequest) async throws -> Identity {
        let fields = request.head.headerFields[values: .authorization]
        guard let field = fields.first else {
            guard let certificate = request.peerCertificate else {
                throw Refusal.unidentified("neither credentials nor a certificate")
            }
            return try devices.identify(certificate)
        }
        let words = field.split(separator: " ", maxSplits: 1).map(String.init)
        guard fields.count == 1, words.count == 2 else { throw Refusal.unidentified("malformed credentials") }
        switch words[0].lowercased() {
        case "basic":
            guard let credentials = BasicCredentials(base64: words[1]) else {
                throw Refusal.unidentified("malformed credentials")
            }
            return try passwords.identify(credentials)
        case "bearer":
            return try await tokens.identify(words[1])
        default:
            throw Refusal.unidentified("an unknown scheme")
        }
    }

    /// The same answer whatever was wrong.
    private func answer(to refusal: Refusal) -> any Error {
        switch refusal {
        case .unidentified:
            AuthenticationError(
                "say who you are",
                challenge: #"Basic realm="identity", charset="UTF-8", Bearer realm="identity""#)
        case .notAllowed:
            AuthorizationError("you may not enter")
        }
    }
}
