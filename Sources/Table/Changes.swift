import Base
import Bus
import Events

// How a row changes: the record of the change, the old image, the new cells.
extension EventTable {
  /// Makes the cells in `next` the row of a slot over the old one, if there is one, and writes the change's
  /// record. `next` owns a share of each string that it does not have in common with the old row.
  ///
  /// False, and nothing is done but that those shares are given back: the record would be larger than
  /// `limit`.
  func install(
    _ slot: RowStore.Slot, _ shard: Shard, over old: Row?, trace: UnsafeRawBufferPointer?, limit: Int = .max
  ) -> Bool {
    writeChange(slot, value: Row(next), before: old, all: false, trace: trace)
    if work.bytes.count > limit {
      releaseNext(old != nil)
      return false
    }
    saveImage(slot, old)
    packed.write(slot, next)
    if let old {
      if isHookTouched() {
        unhook(slot, old, shard)
        hook(slot, next, shard)
      }
      for index in 0..<changedCount where types[changed[index]] == .string {
        strings.release(old[changed[index]].code)
      }
    } else {
      slots[Int(slot)].isLive = true
      liveCount += 1
      hook(slot, next, shard)
    }
    hold(shard)
    return true
  }

  /// Deletes a row, which has these cells.
  func delete(_ slot: RowStore.Slot, _ row: Row, _ shard: Shard, trace: UnsafeRawBufferPointer? = nil) {
    writeChange(slot, value: nil, before: row, all: true, trace: trace)
    saveImage(slot, row)
    unhook(slot, row, shard)
    rows.releaseStrings(row)
    packed.remove(slot)
    slots[Int(slot)].isLive = false
    slots[Int(slot)].timer = .max
    liveCount -= 1
    hold(shard)
  }

  /// The bytes of the change that `install` would make of `next` for a row that is there; the shares of `next`
  /// are given back.
  func measureNext(_ slot: RowStore.Slot, over old: Row) -> Int {
    writeChange(slot, value: Row(next), before: old, all: false, trace: nil)
    releaseNext(true)
    return work.bytes.count
  }

  func measureDeletion(_ slot: RowStore.Slot) -> Int {
    writeChange(slot, value: nil, before: cells(slot), all: true, trace: nil)
    return work.bytes.count
  }

  /// The first time that a transaction changes a row, its image is kept, with shares of its own.
  private func saveImage(_ slot: RowStore.Slot, _ row: Row?) {
    if slots[Int(slot)].isOpen { return }
    slots[Int(slot)].isOpen = true
    if let row { rows.retainStrings(row) }
    open.append(slot, owning: row)
  }

  private func releaseNext(_ isLive: Bool) {
    if !isLive { return rows.releaseStrings(next) }
    for index in 0..<changedCount where types[changed[index]] == .string {
      strings.release(next[changed[index]].code)
    }
  }

  /// A column that problem chains or timers look at has changed.
  private func isHookTouched() -> Bool {
    for index in 0..<changedCount where isHookColumn[changed[index]] { return true }
    return false
  }

  /// Fills `work` with the change's bytes.
  private func writeChange(
    _ slot: RowStore.Slot, value: Row?, before: Row?, all: Bool, trace: UnsafeRawBufferPointer?
  ) {
    work.bytes.removeAll()
    work.bytes.append(strings.bytes(slots[Int(slot)].key))
    work.keyEnd = work.bytes.count
    if let value { writer.write(value, strings, to: &work.bytes) }
    work.valueEnd = value == nil ? -1 : work.bytes.count
    if let before {
      if all {
        writer.write(before, strings, to: &work.bytes)
      } else {
        let columns = UnsafeBufferPointer(start: changed, count: changedCount)
        writer.write(before, columns: columns, strings, to: &work.bytes)
      }
    }
    work.beforeEnd = before == nil ? -1 : work.bytes.count
    if let trace { work.bytes.append(trace) }
    work.traceEnd = trace == nil ? -1 : work.bytes.count
  }

  /// Numbers the change in `work` and keeps it back; the one that was kept back goes out.
  private func hold(_ shard: Shard) {
    send(shard, isLast: false)
    shard.state.change += 1
    work.number = shard.state.change
    work.time = shard.state.time
    work.isHeld = true
    swap(&work, &shard.held)
    counts.openChanges += 1
  }

  /// Appends the shard's change that was kept back to the output; the last one says what was consumed.
  func send(_ shard: Shard, isLast: Bool) {
    guard shard.held.isHeld else { return }
    shard.held.isHeld = false
    let keyEnd = shard.held.keyEnd
    let valueEnd = max(shard.held.valueEnd, keyEnd)
    let beforeEnd = max(shard.held.beforeEnd, valueEnd)
    out.append(
      topic: out.index(ofTopic: topics.changelog), partition: shard.number,
      timestamp: Timestamp(milliseconds: shard.held.time), key: shard.held.bytes[0..<keyEnd],
      value: shard.held.valueEnd < 0 ? nil : shard.held.bytes[keyEnd..<valueEnd])
    if shard.held.beforeEnd >= 0 {
      out.appendHeader(ChangeHeader.before, shard.held.bytes[valueEnd..<beforeEnd])
    }
    number.removeAll()
    number.append(decimal: shard.held.number)
    out.appendHeader(ChangeHeader.change, number.bytes)
    if shard.held.traceEnd >= 0 {
      out.appendHeader(ChangeHeader.trace, shard.held.bytes[beforeEnd..<shard.held.traceEnd])
    }
    if isLast {
      number.removeAll()
      number.append(#"{"events":"# as StaticString)
      number.append(decimal: shard.state.events)
      number.append(#","inbox":"# as StaticString)
      number.append(decimal: shard.state.inbox)
      if shard.number == 0, desk != nil {
        number.append(#","commands":"# as StaticString)
        number.append(decimal: shard.state.commands)
      }
      number.append(UInt8(ascii: "}"))
      out.appendHeader(ChangeHeader.consumed, number.bytes)
    }
  }
}

/// The names of the headers of a changelog record, and of what the table sends besides.
public enum ChangeHeader {
  /// The old values of the changed columns; of all columns where the row was deleted.
  public static let before: StaticString = "belfry-before"
  /// The shard's number of the change, decimal, from 1 without gap.
  public static let change: StaticString = "belfry-change"
  /// `{"events":n,"inbox":m}`: next offsets; on a shard's last change of a transaction. Shard 0 also has
  /// `commands`.
  public static let consumed: StaticString = "belfry-consumed"
  /// The event's trace context (W3C), passed on.
  public static let trace: StaticString = "traceparent"
  /// What an inbox record is: `event`, `clear`, `command` or `answer`. On a reply: `command`, where the table's
  /// reader of commands wrote it.
  public static let kind: StaticString = "belfry-kind"
  /// On a reply of the table's: what its id stands for, 64 bits as hexadecimal digits.
  public static let command: StaticString = "belfry-command"
}
