import Bus
import Events

/// What is known of the records behind the one at work: the hash of their keys, then their rows' slots.
struct Lookahead {
  /// How many records ahead each step is taken: as far apart as memory takes to answer.
  enum Step {
    static let place = 14
    static let text = 11
    static let slot = 8
    static let state = 6
    static let row = 4
    static let codes = 2
    static let strings = 1
  }

  /// By a record's place in the batch, modulo 16: more than the first step is ahead.
  private var hashes = [UInt32](repeating: 0, count: 16)
  private var slots = [RowStore.Slot](repeating: SlotState.none, count: 16)

  subscript(hash index: Int) -> UInt32 {
    get { hashes[index & 15] }
    set { hashes[index & 15] = newValue }
  }

  subscript(slot index: Int) -> RowStore.Slot? {
    get { slots[index & 15] == SlotState.none ? nil : slots[index & 15] }
    set { slots[index & 15] = newValue ?? SlotState.none }
  }
}

extension EventTable {
  /// Has the processor fetch what the next records of a batch will want: from key to row it is one wait for memory
  /// after the other, and those of several records pass together. A producer's key is mostly that of the event's
  /// row; where it is not, nothing is lost but this.
  func fetchAhead(_ batch: RecordBatch, _ index: Int) {
    typealias Step = Lookahead.Step
    let left = batch.count - index
    if left > Step.place { fetchPlace(batch, index + Step.place) }
    if left > Step.text { strings.fetchBlock(ahead[hash: index + Step.text], bytes: 0) }
    if left > Step.slot { fetchSlot(batch, index + Step.slot) }
    if let slot = ahead[slot: index + Step.state] {
      slots.withUnsafeBufferPointer { prefetch($0.baseAddress.unsafelyUnwrapped + Int(slot)) }
      packed.fetchBlock(slot)
    }
    if let slot = ahead[slot: index + Step.row] { packed.fetch(slot) }
    if let slot = ahead[slot: index + Step.codes] { packed.forEachCode(slot) { strings.fetchBlock($0) } }
    if let slot = ahead[slot: index + Step.strings] { packed.forEachCode(slot) { strings.fetchBytes($0) } }
  }

  private func fetchPlace(_ batch: RecordBatch, _ index: Int) {
    ahead[hash: index] = batch.key(batch.records[index]).map { strings.fetchPlace(of: $0) } ?? 0
  }

  private func fetchSlot(_ batch: RecordBatch, _ index: Int) {
    let code = batch.key(batch.records[index]).flatMap { strings.code(of: $0, ahead[hash: index]) }
    ahead[slot: index] = code.flatMap { knownSlot($0) }
  }
}
