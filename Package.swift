// swift-tools-version: 6.2

import PackageDescription

/// An asynchronous function runs where its caller runs, so that a message is handled without a hop.
var swiftSettings: [SwiftSetting] = [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

// Set for runs under ThreadSanitizer, which needs locks that it can see.
if Context.environment["WEFT_TSAN"] != nil { swiftSettings.append(.define("WEFT_TSAN")) }

// Set for runs under AddressSanitizer: the C part traps at undefined behaviour then, which needs no library.
var coreSettings: [CSetting] = [
    .headerSearchPath("csrc"),
    .define("NDEBUG", .when(configuration: .release)),
]
if Context.environment["WEFT_ASAN"] != nil {
    coreSettings.append(.unsafeFlags(["-fsanitize=undefined", "-fsanitize-trap=undefined"]))
}

let package = Package(
    name: "weft",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Weft", targets: ["Weft"]),
        .library(name: "CWeft", targets: ["CWeft"]),
        .executable(name: "weft", targets: ["weft-tool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CWeftUV", pkgConfig: "libuv",
            providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]),
        .systemLibrary(
            name: "CWeftOpenSSL", pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "CWeftZlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(
            name: "CWeft",
            dependencies: ["CWeftUV", "CWeftOpenSSL", "CWeftZlib"],
            path: ".",
            sources: ["csrc"],
            publicHeadersPath: "include",
            cSettings: coreSettings),
        .target(
            name: "Weft",
            dependencies: [
                "CWeft",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "weft-tool",
            dependencies: [
                "CWeft",
                "Weft",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "weft-interop-client", dependencies: ["Weft"], path: "Tests/interop/client",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "weft-conformance-client", dependencies: ["Weft"], path: "Tests/conformance/client",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "weft-soak", dependencies: ["Weft"], path: "Tests/soak/client", swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "weft-echo-benchmark", dependencies: ["Weft"], path: "Benchmarks/swift-echo"),
        .testTarget(
            name: "WeftTests",
            dependencies: [
                "Weft",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11
)
