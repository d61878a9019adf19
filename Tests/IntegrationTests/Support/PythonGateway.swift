import Events
import Foundation
import Testing

/// The example of a gateway in Python, and its database.
final class PythonGateway {
  /// The words that start a Python with confluent-kafka: the one in the path need not be Debian's.
  private static let python: [String]? = [["/usr/bin/python3"], ["/usr/bin/env", "python3"]].first { words in
    guard let child = try? Child(words[0], words.dropFirst() + ["-c", "import confluent_kafka"]) else {
      return false
    }
    return (try? child.end(within: .seconds(30))) == 0
  }
  static var isThere: Bool { python != nil }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static func child(_ arguments: [String]) throws -> Child {
    let words = try #require(python) + [root.appending(path: "Connectors/PythonGateway/gateway.py").path]
    return try Child(words[0], words.dropFirst() + arguments)
  }

  static var cases: String { root.appending(path: "Tests/Sequences/cases.txt").path }

  let database = "\(Scratch.folder)/\(Scratch.next()).db"
  private let words: [String]
  private(set) var child: Child?

  init(cluster: String, sql: String, mode: String) throws {
    words = [
      "--bootstrap", try Broker.running.bootstrap, "--cluster", cluster, "--client", "py", "--name",
      "history", "--sql", sql, "--mode", mode, "--database", database,
    ]
  }

  func start() throws { child = try Self.child(words) }

  /// Up to the stream's present end.
  func runOnce(_ at: SourceLocation = #_sourceLocation) throws {
    let child = try Self.child(words + ["--once"])
    let status = try child.end(within: .seconds(60))
    #expect(status == 0, "\(child.errors)", sourceLocation: at)
  }

  func kill() throws { try #require(child).killNow() }

  /// Nothing where the gateway has not made its database yet.
  func rows(_ sql: String) throws -> [JSON] {
    guard FileManager.default.fileExists(atPath: database) else { return [] }
    return try Oracle(file: database).rows(sql)
  }
}
