/// The ids of streams that ended, so that a topic's name is not used twice: admin calls are not fenced, and
/// a master that was stopped and wakes could else delete the topic that was made again.
struct EndedStreams {
  /// Some id was forgotten: from then on any id may have ended before.
  var hasForgotten = false
  /// By id, the number of its end.
  private var numbers: [String: Int64] = [:]
  /// In the order of their ends; those whose number is not in `numbers` any more are passed over.
  private var order: [(number: Int64, id: String)] = []
  private var first = 0

  var count: Int { numbers.count }

  func mayHaveEnded(_ id: String) -> Bool { hasForgotten || numbers[id] != nil }

  mutating func remove(_ id: String) { numbers[id] = nil }

  /// Numbers rise.
  mutating func insert(_ id: String, number: Int64) {
    numbers[id] = number
    order.append((number, id))
    if order.count > 2 * numbers.count + 1024 {
      order = order[first...].filter { numbers[$0.id] == $0.number }
      first = 0
    }
  }

  /// Forgets the oldest above the limit; their ids.
  mutating func forget(above limit: Int) -> [String] {
    var forgotten: [String] = []
    while numbers.count > limit {
      let oldest = order[first]
      first += 1
      guard numbers[oldest.id] == oldest.number else { continue }
      numbers[oldest.id] = nil
      forgotten.append(oldest.id)
      hasForgotten = true
    }
    return forgotten
  }
}
