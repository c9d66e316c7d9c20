// Whatever a token server answers, an accepted token is one that can be sent in a field, a life is no negative time, and no
// refusal repeats the secret. The first byte chooses the status.
import HTTPTypes

private let secret = "s3cr3t"

private func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { 0x20...0x7E ~= $0 } }

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    guard let choice = bytes.first else { return 0 }
    var response = HTTPResponse(status: .init(code: choice == 0x21 ? 400 : choice == 0x33 ? 302 : 200))
    response.headerFields[.retryAfter] = "120"
    do throws(TokenProblem) {
        let answer = try TokenAnswer(response, Array(bytes.dropFirst()), hiding: [secret])
        precondition(response.status.code == 200)
        precondition(answer.authorization.hasPrefix("Bearer ") && isPrintable(answer.authorization))
        precondition(!answer.authorization.dropFirst(7).contains(" "))
        precondition(answer.life.map { $0 >= .zero } ?? true)
        precondition(answer.refreshToken.map { !$0.isEmpty && isPrintable($0) } ?? true)
    } catch {
        precondition(!error.cause.contains(secret) && !error.cause.isEmpty)
        precondition(error.cause.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        precondition(error.cause.unicodeScalars.count < 600)
    }
    return 0
}
