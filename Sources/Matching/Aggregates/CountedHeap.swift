import Events

/// How cells stand to each other, and which of two is nearer to the top.
struct CellOrder {
  enum Kind { case int, real, string }
  let kind: Kind
  /// The least on top; otherwise the greatest.
  let isLeastFirst: Bool

  @inline(__always)
  func precedes(_ a: Cell, _ b: Cell, _ strings: StringTable) -> Bool {
    let (x, y) = isLeastFirst ? (a, b) : (b, a)
    switch kind {
    case .int: return x.int < y.int
    case .real: return x.real < y.real
    case .string: return strings.compare(x.code, y.code) < 0
    }
  }
}

/// A multiset of cells that knows its first one: a heap of the distinct values, each counted beside it. A
/// value whose count falls to 0 stays in the heap until it is on top or such values are half of it, so
/// every operation is O(log n) amortised over the distinct values. A share is held of each string.
struct CountedHeap {
  private var counts: [Cell: Int] = [:]
  private var heap: [Cell] = []
  /// Values in the heap that are counted 0.
  private var dead = 0
  private static let deadMin = 32

  init() {}

  /// True: the value is new here, and a share of it has become the heap's where it is a string.
  mutating func add(_ cell: Cell, _ order: CellOrder, _ strings: StringTable) -> Bool {
    if let index = counts.index(forKey: cell) {
      if counts.values[index] == 0 { dead -= 1 }
      counts.values[index] += 1
      return false
    }
    counts[cell] = 1
    heap.append(cell)
    siftUp(heap.count - 1, order, strings)
    return true
  }

  mutating func remove(_ cell: Cell, _ order: CellOrder, _ strings: StringTable) {
    guard let index = counts.index(forKey: cell), counts.values[index] > 0 else {
      preconditionFailure("a value leaves an aggregate that it never entered")
    }
    counts.values[index] -= 1
    if counts.values[index] > 0 { return }
    dead += 1
    if dead > max(Self.deadMin, heap.count / 2) { rebuild(order, strings) }
  }

  /// The least or greatest value; nil of none.
  mutating func first(_ order: CellOrder, _ strings: StringTable) -> Cell? {
    while let top = heap.first {
      if counts[top] != 0 { return top }
      counts[top] = nil
      dead -= 1
      let last = heap.removeLast()
      if !heap.isEmpty {
        heap[0] = last
        siftDown(0, order, strings)
      }
      if order.kind == .string { strings.release(top.code) }
    }
    return nil
  }

  /// Forgets all values and gives their shares back.
  mutating func removeAll(_ order: CellOrder, _ strings: StringTable) {
    if order.kind == .string { for cell in heap { strings.release(cell.code) } }
    self = CountedHeap()
  }

  private mutating func rebuild(_ order: CellOrder, _ strings: StringTable) {
    var live: [Cell] = []
    live.reserveCapacity(heap.count - dead)
    for cell in heap {
      if counts[cell] != 0 {
        live.append(cell)
        continue
      }
      counts[cell] = nil
      if order.kind == .string { strings.release(cell.code) }
    }
    heap = live
    dead = 0
    for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index, order, strings) }
  }

  private mutating func siftUp(_ start: Int, _ order: CellOrder, _ strings: StringTable) {
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard order.precedes(heap[index], heap[parent], strings) else { return }
      heap.swapAt(index, parent)
      index = parent
    }
  }

  private mutating func siftDown(_ start: Int, _ order: CellOrder, _ strings: StringTable) {
    var index = start
    while true {
      var best = index
      for child in 2 * index + 1...2 * index + 2 where child < heap.count {
        if order.precedes(heap[child], heap[best], strings) { best = child }
      }
      if best == index { return }
      heap.swapAt(index, best)
      index = best
    }
  }
}
