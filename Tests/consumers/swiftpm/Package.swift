// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "consumer",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(path: "PATH-OF-WEFT")
    ],
    targets: [
        .executableTarget(
            name: "consumer",
            dependencies: [.product(name: "Weft", package: "weft")])
    ],
    swiftLanguageModes: [.v6]
)
