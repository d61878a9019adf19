/// A growable run of plain values in memory of its own. Who holds it frees it: copies share the memory, and
/// only one of them may go on to change it.
///
/// The index is made of these and of pointers, since a class or an array costs a retain, a release and a
/// check of bounds wherever it is touched, which is more than what is done with most of its parts.
struct Run<Element: BitwiseCopyable>: BitwiseCopyable {
  private(set) var base: UnsafeMutablePointer<Element>?
  private(set) var count: Int32 = 0
  private var capacity: Int32 = 0

  init() {}

  init(_ elements: [Element]) {
    if elements.isEmpty { return }
    count = Int32(elements.count)
    capacity = count
    base = .indexed(capacity: elements.count)
    for (i, element) in elements.enumerated() { (base! + i).initialize(to: element) }
  }

  /// Room for so many in memory that is somebody else's, who frees it and looks that no more are appended.
  init(within base: UnsafeMutablePointer<Element>, capacity: Int32) {
    (self.base, self.capacity) = (base, capacity)
  }

  var isFull: Bool { count == capacity }

  /// Bytes held.
  var bytes: Int { Int(capacity) * MemoryLayout<Element>.stride }
  @inline(__always) var isEmpty: Bool { count == 0 }
  @inline(__always) var indices: Range<Int> { 0..<Int(count) }
  /// The elements, for loops at leisure.
  var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: Int(count)) }

  /// Valid until the run grows. Not checked: an index outside is a mistake of ours.
  @inline(__always)
  subscript(_ index: Int) -> Element {
    get { base.unsafelyUnwrapped[index] }
    nonmutating set { base.unsafelyUnwrapped[index] = newValue }
  }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { grow() }
    (base.unsafelyUnwrapped + Int(count)).initialize(to: element)
    count += 1
  }

  /// Opens a gap at an index.
  mutating func insert(_ element: Element, at index: Int) {
    if count == capacity { grow() }
    let place = base.unsafelyUnwrapped + index
    (place + 1).update(from: place, count: Int(count) - index)
    place.initialize(to: element)
    count += 1
  }

  /// Closes the gap; the order stays.
  mutating func remove(at index: Int) {
    let place = base.unsafelyUnwrapped + index
    count -= 1
    place.update(from: place + 1, count: Int(count) - index)
  }

  /// Forgets all elements from an index on; keeps the memory.
  @inline(__always)
  mutating func truncate(to length: Int) { count = Int32(truncatingIfNeeded: length) }

  mutating func free() {
    base?.deindex(capacity: Int(capacity))
    self = Run()
  }

  private mutating func grow() {
    let larger = capacity < 4 ? capacity + 2 : capacity * 2
    let new = UnsafeMutablePointer<Element>.indexed(capacity: Int(larger))
    if let base {
      new.update(from: base, count: Int(count))
      base.deindex(capacity: Int(capacity))
    }
    (base, capacity) = (new, larger)
  }
}

extension Run {
  /// Of elements of which the first ones are as asked for and no others, how many are. Without jumps that depend on them:
  /// they are guessed wrong every other time.
  @inline(__always)
  func partitionPoint(_ isAmongFirst: (Element) -> Bool) -> Int {
    var (first, count) = (0, Int(count))
    while count > 1 {
      let half = count >> 1
      first &+= isAmongFirst(self[first &+ half &- 1]) ? half : 0
      count &-= half
    }
    return first + (count == 1 && isAmongFirst(self[first]) ? 1 : 0)
  }
}

extension Run<Int64> {
  /// Of blocks that begin with these keys: the last one that begins below a key, else the first. Equal keys begin in it, if
  /// not in the next.
  @inline(__always)
  func blockWhereBegins(_ key: Int64) -> Int { max(partitionPoint { $0 < key } - 1, 0) }
}
