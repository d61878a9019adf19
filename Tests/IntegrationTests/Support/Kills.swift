import Base
import Testing

/// What sends events to a town on a thread of its own.
protocol Sender: AnyObject {
  /// Events that Kafka has acknowledged.
  var sent: Int { get }
}

extension Town {
  /// Kills the member and starts it again. Moments are counted in events sent: in the middle of the work, or of the
  /// restore before it. `meanwhile` runs until each comes, `between` while the member is dead.
  func killAndLaunch(
    _ times: Int, under load: any Sender, within events: ClosedRange<Int>, seed: UInt64,
    meanwhile: () throws -> Void = {}, between: (inout SeededRandom) throws -> Void = { _ in }
  ) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<times {
      let moment = load.sent + .random(in: events, using: &random)
      try eventually("\(moment) events sent") {
        try meanwhile()
        return load.sent >= moment
      }
      try kill()
      try between(&random)
      try launch()
    }
    try waitUntilReady()
  }
}

extension Sender {
  /// Waits until it has sent so many more.
  func sendsOn(_ events: Int, within limit: Duration) throws {
    let before = sent
    try eventually(within: limit, "load") { sent > before + events }
  }
}
