import Base
import Bus
import Events

// Slots, and what hangs on a row besides its cells: problem chains and timers.
extension EventTable {
  /// A slot for a key that has none: the slot holds a share of the key's code.
  func claimSlot(key: UnsafeRawBufferPointer, shard: Shard) -> RowStore.Slot {
    let code = strings.intern(key)
    let slot = packed.makeSlot()
    if Int(slot) >= slots.count { slots.append(SlotState()) }
    if Int(code) >= slotOfKey.count {
      let missing = max(Int(code) + 1 - slotOfKey.count, slotOfKey.count / 2)
      slotOfKey.append(contentsOf: repeatElement(SlotState.none, count: missing))
    }
    slots[Int(slot)].key = code
    slots[Int(slot)].shard = UInt16(shard.number)
    slotOfKey[Int(code)] = slot
    return slot
  }

  /// Lets a slot without row and images go.
  func freeSlot(_ slot: RowStore.Slot) {
    let key = slots[Int(slot)].key
    slotOfKey[Int(key)] = SlotState.none
    strings.release(key)
    slots[Int(slot)] = SlotState()
    packed.freeSlot(slot)
  }

  /// Enters a row that has just got these cells into its problem chain and the timers.
  func hook(_ slot: RowStore.Slot, _ row: Row, _ shard: Shard) {
    if let pairing = roles.pairing, pairing.isProblem(row) {
      if shard.problems.isCrowded {
        shard.problems.grow(&slots) { pairing.hash(give($0)) }
      }
      shard.problems.link(slot, pairing.hash(row), &slots)
    }
    arm(slot, row, shard)
  }

  /// Takes a row whose cells are about to change or to go out of its problem chain.
  func unhook(_ slot: RowStore.Slot, _ row: Row, _ shard: Shard) {
    guard slots[Int(slot)].isLinked, let pairing = roles.pairing else { return }
    shard.problems.unlink(slot, pairing.hash(row), &slots)
  }

  /// Sees to it that the row is looked at by its deadline. An entry for an earlier time does: popped, it
  /// is found to be early and set anew.
  func arm(_ slot: RowStore.Slot, _ row: Row, _ shard: Shard) {
    let deadline = roles.deadline(row, clearedKept: clearedKept)
    guard deadline < slots[Int(slot)].timer else { return }
    slots[Int(slot)].timer = deadline
    shard.timers.push(TimerHeap.Entry(deadline: deadline, slot: slot))
    // Entries that were overtaken by earlier ones lie about until then: at most as many as rows, and some.
    if shard.timers.count > 2 * liveCount + 1024 { dropStaleTimers(shard) }
  }

  private func dropStaleTimers(_ shard: Shard) {
    shard.timers.filter { entry in
      guard isCurrent(entry, shard) else { return false }
      slots[Int(entry.slot)].timer = .max  // so that a second entry of the same deadline goes
      return true
    }
    for entry in shard.timers.entries { slots[Int(entry.slot)].timer = entry.deadline }
  }

  private func isCurrent(_ entry: TimerHeap.Entry, _ shard: Shard) -> Bool {
    let state = slots[Int(entry.slot)]
    return state.isLive && state.timer == entry.deadline && Int32(state.shard) == shard.number
  }

  /// Moves the shards' time to at least `now`, and deletes the rows whose time has come: cleared ones
  /// `clearedKept` after their StateChange, others at their ExpireTime. True: there is more to delete
  /// than one transaction should hold, so call again in the next.
  @discardableResult
  public func runTimers(now: Timestamp) -> Bool {
    precondition(!isFinished)
    setNow(now)
    var isMore = false
    for shard in led where shard.isServing {
      shard.state.time = max(shard.state.time, now.milliseconds)
      var left = settings.timerDeletesMax
      while let entry = shard.timers.first, entry.deadline <= shard.state.time {
        if left == 0 {
          isMore = true
          break
        }
        let isValid = isCurrent(entry, shard)
        shard.timers.popFirst()
        guard isValid else { continue }
        slots[Int(entry.slot)].timer = .max
        let row = cells(entry.slot)
        if roles.deadline(row, clearedKept: clearedKept) <= shard.state.time {
          delete(entry.slot, row, shard)
          left -= 1
        } else {
          arm(entry.slot, row, shard)
        }
      }
    }
    return isMore
  }
}

extension ColumnRoles.Pairing {
  @inline(__always)
  func isProblem(_ row: Row) -> Bool { row[type].int == 1 && row[severity].int != 0 }

  /// The hash of the four values that a problem and its resolution share.
  @inline(__always)
  func hash(_ row: Row) -> UInt32 { Self.hash(row[node], row[group], row[key], row[manager]) }

  @inline(__always)
  static func hash(_ node: Cell, _ group: Cell, _ key: Cell, _ manager: Cell) -> UInt32 {
    var hash = (node << 32 | key) &* 0x9E37_79B9_7F4A_7C15
    hash = (hash ^ (hash >> 29) ^ (group << 32 | manager)) &* 0xBF58_476D_1CE4_E5B9
    return UInt32(truncatingIfNeeded: hash >> 32)
  }
}
