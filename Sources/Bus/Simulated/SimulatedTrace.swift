/// The last lines of what happened in a `SimulatedCluster`, for the replay of a failing seed. Off until it
/// is switched on.
public struct SimulatedTrace: Sendable {
  /// Lines that are kept; older ones are let go.
  public static let linesMax = 20_000

  public var isOn = false
  private var kept: [String] = []
  private var oldest = 0

  /// In the order in which they were written.
  public var lines: [String] { Array(kept[oldest...] + kept[..<oldest]) }

  public mutating func add(_ line: @autoclosure () -> String) {
    guard isOn else { return }
    if kept.count < Self.linesMax {
      kept.append(line())
    } else {
      kept[oldest] = line()
      oldest = (oldest + 1) % Self.linesMax
    }
  }
}
