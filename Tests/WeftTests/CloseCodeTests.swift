import Testing
import Weft

@Suite("CloseCode")
struct CloseCodeTests {
    @Test("CloseCode: the statics are those of RFC 6455 §7.4.1 and the IANA registry")
    func statics() {
        let codes: [CloseCode] = [
            .normalClosure, .goingAway, .protocolError, .unsupportedData, .noStatusReceived, .abnormalClosure,
            .invalidFramePayloadData, .policyViolation, .messageTooBig, .mandatoryExtension, .internalError,
            .serviceRestart, .tryAgainLater, .badGateway, .tlsHandshake,
        ]
        #expect(codes.map(\.rawValue) == [1000, 1001, 1002, 1003] + Array(1005...1015))
    }

    @Test("CloseCode: sendable ones are 1000 to 1003, 1007 to 1014 and 3000 to 4999")
    func isSendable() {
        let sendable = (0...UInt16.max).filter { CloseCode($0).isSendable }
        #expect(sendable == Array(1000...1003) + Array(1007...1014) + Array(3000...4999))
    }

    @Test("CloseCode: a code is its number")
    func number() {
        #expect(CloseCode(4001) == CloseCode(rawValue: 4001))
        #expect(CloseCode(4001).description == "4001")
    }
}
