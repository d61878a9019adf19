import Synchronization

/// What was written.
final class Collected: Sendable {
  private let state: Mutex<[String]> = Mutex([])
  func append(_ text: String) { state.withLock { $0.append(text) } }
  var lines: [String] { state.withLock { $0 } }
}
