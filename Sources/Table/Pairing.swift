import Base
import Bus
import Events

// Problem and resolution (docs/events.md): `Type` 2 clears the problems with the same Node, AlertGroup,
// AlertKey and Manager that did not last occur after it.
extension EventTable {
  /// The event that was decoded is a resolution. One without a Type repeats what its row is.
  func isResolution(of row: Row?) -> Bool {
    guard let pairing = roles.pairing else { return false }
    return decoder.isPresent(pairing.type) ? decoder.cell(pairing.type).int == 2 : row?[pairing.type].int == 2
  }

  /// A resolution is itself cleared.
  func markResolved(_ shard: Shard) {
    next[roles.pairing!.severity] = Cell(int: 0)
    if let stateChange = roles.stateChange { next[stateChange] = Cell(int: shard.state.time) }
  }

  /// Clears the problems of a resolution's row in its own shard, and notes it for the others. The decoder has its event:
  /// one that does not say when it occurred did so at its record's time, also where its row keeps an older one.
  func clearProblems(of slot: RowStore.Slot, _ shard: Shard, recordTime: Timestamp) {
    let pairing = roles.pairing!
    let row = cells(slot)
    var last = row[pairing.lastOccurrence].int
    if !decoder.isPresent(pairing.lastOccurrence) { last = max(last, recordTime.milliseconds) }
    if settings.partitions > 1 { noteClear(row, pairing, shard, notAfter: last) }
    clearProblems(
      shard, row[pairing.node], row[pairing.group], row[pairing.key], row[pairing.manager], notAfter: last)
  }

  /// Clears all problem rows of a shard with these four values. O(problems with these values).
  func clearProblems(
    _ shard: Shard, _ node: Cell, _ group: Cell, _ key: Cell, _ manager: Cell, notAfter last: Int64
  ) {
    let pairing = roles.pairing!
    var at = shard.problems.head(ColumnRoles.Pairing.hash(node, group, key, manager))
    while at != SlotState.none {
      let slot = at
      at = slots[Int(slot)].next
      let row = cells(slot)
      guard
        row[pairing.node] == node, row[pairing.group] == group, row[pairing.key] == key,
        row[pairing.manager] == manager, row[pairing.lastOccurrence].int <= last
      else { continue }
      next.update(from: row, count: rows.width)
      markResolved(shard)
      collectChanges(row)
      _ = install(slot, shard, over: row, trace: nil)
    }
  }

  private func noteClear(_ row: Row, _ pairing: ColumnRoles.Pairing, _ shard: Shard, notAfter last: Int64) {
    shard.clears.append(#"{"Node":"# as StaticString)
    shard.clears.append(row[pairing.node], as: .string, strings)
    shard.clears.append(#","AlertGroup":"# as StaticString)
    shard.clears.append(row[pairing.group], as: .string, strings)
    shard.clears.append(#","AlertKey":"# as StaticString)
    shard.clears.append(row[pairing.key], as: .string, strings)
    shard.clears.append(#","Manager":"# as StaticString)
    shard.clears.append(row[pairing.manager], as: .string, strings)
    shard.clears.append(#","LastOccurrence":"# as StaticString)
    shard.clears.append(decimal: last)
    shard.clears.append(UInt8(ascii: "}"))
    shard.clearEnds.append(shard.clears.count)
  }

  /// One message for each shard but the resolutions' own, or several where one would be too large.
  func sendClears() {
    let sources = led.filter { !$0.clearEnds.isEmpty }
    if sources.isEmpty { return }
    for target in 0..<Int32(settings.partitions) {
      work.bytes.removeAll()
      for source in sources where source.number != target {
        var start = 0
        for end in source.clearEnds {
          appendClear(source.clears[start..<end], to: target)
          start = end
        }
      }
      sendClearMessage(to: target)
    }
  }

  private func appendClear(_ clear: UnsafeRawBufferPointer, to target: Int32) {
    if work.bytes.count + clear.count > settings.clearMessageBytesMax { sendClearMessage(to: target) }
    work.bytes.append(work.bytes.count == 0 ? #"{"clears":["# as StaticString : "," as StaticString)
    work.bytes.append(clear)
  }

  private func sendClearMessage(to target: Int32) {
    if work.bytes.count == 0 { return }
    work.bytes.append("]}" as StaticString)
    out.append(
      topic: out.index(ofTopic: topics.inbox), partition: target, timestamp: now, key: nil,
      value: work.bytes.bytes)
    out.appendHeader(ChangeHeader.kind, InboxKind.clear.bytes)
    counts.openClearsSent += 1
    work.bytes.removeAll()
  }

  /// Applies another shard's clears; a refusal if the message is none, and then nothing is done.
  func applyClears(_ value: UnsafeRawBufferPointer?, _ shard: Shard) -> Refusal? {
    guard roles.pairing != nil else { return Refusal(.inbox, "clears for a table without pairing") }
    guard let value, let message = try? JSON(parsing: value), let clears = message["clears"]?.array else {
      return Refusal(.inbox, "a clear message without clears")
    }
    for clear in clears where Self.clearFields.contains(where: { clear[$0]?.string == nil }) {
      return Refusal(.inbox, "a clear without \(Self.clearFields.joined(separator: ", "))")
    }
    for clear in clears {
      guard let last = clear["LastOccurrence"]?.int else { continue }
      let cells = Self.clearFields.map { heldCode(clear[$0]!.string!) }
      guard cells.allSatisfy({ $0 != nil }) else { continue }  // no row has that text
      clearProblems(shard, cells[0]!, cells[1]!, cells[2]!, cells[3]!, notAfter: last)
    }
    counts.openClearsApplied += 1
    return nil
  }

  private static let clearFields = ["Node", "AlertGroup", "AlertKey", "Manager"]

  private func heldCode(_ text: String) -> Cell? {
    var text = text
    return text.withUTF8 { strings.code(of: UnsafeRawBufferPointer($0)) }.map { Cell($0) }
  }
}
