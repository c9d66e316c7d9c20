import ArgumentParser
import Weft

/// How it is found out whether certificates were revoked.
enum Revocation: String, ExpressibleByArgument {
    case stapling
    case ocspCrl = "ocsp-crl"

    var validation: CertValidation {
        switch self {
        case .stapling: .ocspStapling
        case .ocspCrl: .ocspCrl
        }
    }
}
