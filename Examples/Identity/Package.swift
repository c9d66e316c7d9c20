// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "identity",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "weft", path: "../.."),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.15.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.1.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
    ],
    targets: [
        .executableTarget(
            name: "identity-server",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Weft", package: "weft"),
                .product(name: "X509", package: "swift-certificates"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
