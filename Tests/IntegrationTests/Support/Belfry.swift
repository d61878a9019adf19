import Foundation
import Testing

/// All tests of the built program, one after the other: they share a machine and a broker.
@Suite(.serialized) struct Integration {}

/// The program under test: what `swift build` put beside the tests.
enum Belfry {
  static let path: String = {
    let here = Bundle.allBundles.map(\.bundlePath) + [CommandLine.arguments[0]]
    let beside = here.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path + "/belfry" }
    guard let path = beside.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      preconditionFailure("there is no belfry beside the tests: \(beside)")
    }
    return path
  }()

  /// How one run ended.
  struct Ran {
    let status: Int32
    let output: String
    let errors: String
    var lines: [String] { output.split(separator: "\n").map(String.init) }
  }

  static func run(
    _ arguments: [String], input: String? = nil, environment: [String: String] = [:],
    within limit: Duration = .seconds(40)
  ) throws -> Ran {
    let child = try Child(path, arguments, environment: environment, input: input)
    let status = try child.end(within: limit)
    return Ran(status: status, output: child.output, errors: child.errors)
  }
}
