import Events

/// What the table knows of a slot besides the row's cells: 24 bytes.
struct SlotState {
  static let none = RowStore.Slot.max

  private struct Flags: OptionSet {
    let rawValue: UInt8
    static let live = Flags(rawValue: 1)
    static let linked = Flags(rawValue: 2)
    static let open = Flags(rawValue: 4)
    static let dirty = Flags(rawValue: 8)
  }

  /// The deadline of its heap entry that counts; `Int64.max` without one.
  var timer = Int64.max
  /// The row key's code, of which the slot holds a share; 0: the slot is free.
  var key: StringTable.Code = 0
  /// The problem chain that the row is in.
  var next = SlotState.none
  var previous = SlotState.none
  var shard: UInt16 = 0
  private var flags: Flags = []

  /// There is a row. A slot without one, but with a key, is a deleted row whose old image is still needed.
  var isLive: Bool {
    get { flags.contains(.live) }
    set { set(.live, newValue) }
  }
  /// The row is in a problem chain.
  var isLinked: Bool {
    get { flags.contains(.linked) }
    set { set(.linked, newValue) }
  }
  /// An image of it is kept for the open transaction.
  var isOpen: Bool {
    get { flags.contains(.open) }
    set { set(.open, newValue) }
  }
  /// An image of it is kept for the next drain.
  var isDirty: Bool {
    get { flags.contains(.dirty) }
    set { set(.dirty, newValue) }
  }

  private mutating func set(_ flag: Flags, _ isSet: Bool) {
    if isSet { flags.insert(flag) } else { flags.remove(flag) }
  }
}

/// The problem rows of a shard by the values that pair them with their resolution: chains through the
/// slots, doubly linked, so that leaving a long chain costs the same as leaving a short one.
struct ProblemChains {
  private var heads = Array(repeating: SlotState.none, count: 64)
  private(set) var count = 0

  func head(_ hash: UInt32) -> RowStore.Slot { heads[Int(hash) & (heads.count - 1)] }

  mutating func link(_ slot: RowStore.Slot, _ hash: UInt32, _ slots: inout [SlotState]) {
    let bucket = Int(hash) & (heads.count - 1)
    let next = heads[bucket]
    slots[Int(slot)].next = next
    slots[Int(slot)].previous = SlotState.none
    slots[Int(slot)].isLinked = true
    if next != SlotState.none { slots[Int(next)].previous = slot }
    heads[bucket] = slot
    count += 1
  }

  mutating func unlink(_ slot: RowStore.Slot, _ hash: UInt32, _ slots: inout [SlotState]) {
    let state = slots[Int(slot)]
    if state.previous == SlotState.none {
      heads[Int(hash) & (heads.count - 1)] = state.next
    } else {
      slots[Int(state.previous)].next = state.next
    }
    if state.next != SlotState.none { slots[Int(state.next)].previous = state.previous }
    slots[Int(slot)].isLinked = false
    count -= 1
  }

  var isCrowded: Bool { count > heads.count }

  /// Quadruples the chains' number. `hash` gives the hash of a linked slot.
  mutating func grow(_ slots: inout [SlotState], hash: (RowStore.Slot) -> UInt32) {
    let old = heads
    heads = Array(repeating: SlotState.none, count: old.count * 4)
    count = 0
    for head in old {
      var at = head
      while at != SlotState.none {
        let next = slots[Int(at)].next
        link(at, hash(at), &slots)
        at = next
      }
    }
  }
}
