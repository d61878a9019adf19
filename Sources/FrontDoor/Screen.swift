/// A part of a screen that is drawn anew in place.
public struct ScreenPart: Equatable, Sendable {
  public var lines: [String]
  /// Where not all parts have room, those of the highest rank go first; 0: it stays.
  public var rank: Int
  /// Lines down to which it may be cut. What is cut off is announced.
  public var least: Int

  /// Is shown whole, or not at all, where `least` is not given.
  public init(_ lines: [String], rank: Int = 0, least: Int? = nil) {
    self.lines = lines
    self.rank = rank
    self.least = min(least ?? lines.count, lines.count)
  }
}

/// The parts in their order, at most `height` lines: parts go while there is no room for the least of all, and what
/// room is left goes to the lowest rank first.
public func screen(_ parts: [ScreenPart], height: Int) -> [String] {
  var parts = parts
  while parts.reduce(0, { $0 + $1.least }) > height {
    guard let rank = parts.map(\.rank).max(), rank > 0 else { break }
    parts.removeAll { $0.rank == rank }
  }
  var room = height - parts.reduce(0) { $0 + $1.least }
  var counts = parts.map(\.least)
  for index in parts.indices.sorted(by: { parts[$0].rank < parts[$1].rank }) where room > 0 {
    let more = min(room, parts[index].lines.count - counts[index])
    counts[index] += more
    room -= more
  }
  let lines = zip(parts, counts).flatMap { announced($0.lines, to: $1) }
  return Array(lines.prefix(max(0, height)))
}

/// The first lines, and in place of the last how many more there are.
private func announced(_ lines: [String], to count: Int) -> [String] {
  if count >= lines.count { return lines }
  return lines.prefix(max(0, count - 1)) + ["… \(lines.count - max(0, count - 1)) more"]
}
