// swift-tools-version:6.2
import PackageDescription

/// Every module is compiled the same way: Swift 6 mode, warnings are errors.
let settings: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  // Small functions of one module (bytes, cells, strings) are called per byte and per row from another.
  .unsafeFlags(
    ["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// One of Debian's C libraries: a module map and a shim header under `Sources/<name>`, nothing else.
func library(_ name: String, package: String, pkgConfig: String) -> Target {
  .systemLibrary(
    name: name, path: "Sources/\(name)", pkgConfig: pkgConfig, providers: [.apt([package])])
}

/// One of Debian's C++ libraries behind a C interface of ours. Optimised in every build: its templates are many
/// times as slow without. Its pkg-config is for Scripts/setup.sh only, as SwiftPM does not take what it defines.
func cxxLibrary(_ name: String, package: String, pkgConfig: String, links library: String) -> Target {
  .target(
    name: name, path: "Sources/\(name)",
    cxxSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])],
    linkerSettings: [.linkedLibrary(library)])
}

/// C of ours, for what Swift has no words for. Optimised in every build.
func cCode(_ name: String, path: String? = nil) -> Target {
  .target(
    name: name, path: path ?? "Sources/\(name)",
    cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])])
}

func module(_ name: String, _ imports: [Target.Dependency], path: String? = nil) -> Target {
  .target(
    name: name, dependencies: imports, path: path ?? "Sources/\(name)", swiftSettings: settings)
}

func tests(_ name: String, _ imports: [Target.Dependency]) -> Target {
  .testTarget(
    name: name, dependencies: imports, path: "Tests/\(name)", swiftSettings: settings)
}

// Imports point up this list (docs/ARCHITECTURE.md says what each module is for).
let package = Package(
  name: "belfry",
  products: [.executable(name: "belfry", targets: ["belfry"])],
  targets: [
    library("CRdKafka", package: "librdkafka-dev", pkgConfig: "rdkafka"),
    library("CJansson", package: "libjansson-dev", pkgConfig: "jansson"),
    library("CYaml", package: "libyaml-dev", pkgConfig: "yaml-0.1"),
    library("CMicroHTTPD", package: "libmicrohttpd-dev", pkgConfig: "libmicrohttpd"),
    library("CCrypto", package: "libssl-dev", pkgConfig: "libcrypto"),
    library("CCurl", package: "libcurl4-openssl-dev", pkgConfig: "libcurl"),
    library("CSQLite", package: "libsqlite3-dev", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CPrefetch", path: "Sources/CPrefetch"),
    cCode("CTextSearch"),
    cxxLibrary("CSimdJSON", package: "libsimdjson-dev", pkgConfig: "simdjson", links: "simdjson"),

    module("Base", ["CCrypto"]),
    module("Bus", ["Base", "CRdKafka"]),
    module("Events", ["Base", "CJansson", "CPrefetch", "CSimdJSON"]),
    module("Query", ["Base", "Events"]),
    module("Table", ["Base", "Bus", "Events"]),
    module("Matching", ["Base", "CTextSearch", "Events", "Query"]),
    module("Requests", ["Base", "Events", "Query"]),
    module("Notifier", ["Base", "Bus", "Events", "Matching", "Requests"]),
    module("ConnectorKit", ["Base"]),
    module("Console", ["Base", "CMicroHTTPD"]),
    module("Configuration", ["Base", "CYaml"]),
    module("FrontDoor", ["Base", "Configuration"]),
    module("Client", ["Base", "Bus", "CCurl", "ConnectorKit", "Events"]),
    module("HostMonitor", ["Base", "ConnectorKit"], path: "Connectors/HostMonitor/Sources"),
    module("Syslog", ["Base", "ConnectorKit"], path: "Connectors/Syslog/Sources"),
    module(
      "Service",
      [
        "Base", "Bus", "Configuration", "Console", "ConnectorKit", "Events", "HostMonitor",
        "Matching", "Notifier", "Query", "Requests", "Syslog", "Table",
      ]),
    .executableTarget(
      name: "belfry",
      dependencies: [
        "Base", "Bus", "Client", "Configuration", "ConnectorKit", "Console", "Events", "FrontDoor", "Query",
        "Requests", "Service",
      ],
      path: "Sources/belfry", swiftSettings: settings),

    module("BusConformance", ["Base", "Bus"], path: "Tests/BusConformance"),
    cCode("CScan", path: "Benchmarks/Scan"),
    .executableTarget(
      name: "AggregateBenchmark", dependencies: ["Base", "Events", "Matching", "Query"],
      path: "Benchmarks/Aggregates", swiftSettings: settings),
    .executableTarget(
      name: "MatchingBenchmark", dependencies: ["Base", "CScan", "Events", "Matching", "Query"],
      path: "Benchmarks/Matching", swiftSettings: settings),
    .executableTarget(
      name: "CanonicalBenchmark", dependencies: ["Base", "Events", "Query"], path: "Benchmarks/Canonical",
      swiftSettings: settings),

    .executableTarget(
      name: "DecodeBenchmark", dependencies: ["Base", "CJansson", "Events"], path: "Benchmarks/Decode",
      swiftSettings: settings),

    tests("BusTests", ["Base", "Bus", "BusConformance", "CRdKafka"]),
    tests("ConfigurationTests", ["Configuration", "Base"]),
    tests("QueryTests", ["Base", "Events", "Query"]),
    tests("FrontDoorTests", ["Configuration", "FrontDoor"]),
    tests("ConsoleTests", ["Console", "Base"]),
    module("TestSeeds", [], path: "Tests/TestSeeds"),
    tests("MatchingTests", ["Base", "CTextSearch", "Events", "Query", "Matching", "CSQLite", "TestSeeds"]),
    tests(
      "FuzzTests",
      ["Base", "Configuration", "Events", "Matching", "Query", "Requests", "Service", "TestSeeds"]),
    tests("EventsTests", ["Base", "Events"]),
    tests("TableTests", ["Base", "Bus", "Events", "Table"]),
    module(
      "ConnectorConformance", ["Base", "Configuration", "ConnectorKit"], path: "Tests/ConnectorConformance"),
    tests("ConnectorKitTests", ["Base", "ConnectorKit"]),
    tests("ClientTests", ["Base", "Bus", "Client", "ConnectorKit", "Events"]),
    tests("HostMonitorTests", ["Base", "ConnectorConformance", "ConnectorKit", "HostMonitor"]),
    tests("SyslogTests", ["Base", "ConnectorConformance", "ConnectorKit", "Syslog"]),
    // What reads all topics of thousands of runs is twice as fast for it.
    .target(
      name: "Checkers", dependencies: ["Base", "Bus", "Events"], path: "Tests/Checkers",
      swiftSettings: settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
    tests(
      "IntegrationTests",
      ["Base", "Bus", "BusConformance", "Checkers", "Client", "ConnectorKit", "CSQLite", "Events", "belfry"]),
    tests("BaseTests", ["Base"]),
    tests("RequestsTests", ["Requests", "Base", "Events", "Query"]),
    tests("NotifierTests", ["Base", "Bus", "Events", "Matching", "Notifier", "Query", "Requests"]),
    tests(
      "ServiceTests",
      [
        "Base", "Bus", "Client", "Configuration", "ConnectorKit", "Console", "Events", "Matching", "Notifier",
        "Query", "Requests", "Service", "Table",
      ]),
    .testTarget(
      name: "SimulationTests",
      dependencies: [
        "Base", "Bus", "Checkers", "Events", "Notifier", "Requests", "Service", "Table", "TestSeeds",
      ],
      path: "Tests/SimulationTests",
      swiftSettings: settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
