/// A record that nobody can be told about: what would be answered has no name, or nothing is said.
public struct UnansweredRecord: Sendable, Equatable {
  public enum Source: String, Sendable, CaseIterable {
    case requests, commands
  }

  public let source: Source
  /// In the source's topic.
  public let offset: Int64
  public let reason: String
}

extension Registry {
  /// Counts a record that cannot be answered.
  func passOver(_ source: UnansweredRecord.Source, _ offset: Int64, _ reason: String) {
    counts.ignored += 1
    counts.unanswered[source, default: 0] += 1
    unanswered = UnansweredRecord(source: source, offset: offset, reason: reason)
  }

  func badKey(_ bytesMax: Int) -> String { "its key is no text of 1 to \(bytesMax) bytes" }
}
