import Base

/// Something that is looked at again when its time comes.
protocol Scheduled: AnyObject {
  var due: Timestamp { get set }
  /// Decides between equals, so that the order is the same on every run.
  var creation: Int64 { get }
  /// Its place in the heap; -1 outside.
  var heapIndex: Int { get set }
}

/// A binary heap by due time, in which an element knows its place: each change takes O(log n).
struct DueHeap<Element: Scheduled> {
  private var elements: [Element] = []

  var first: Element? { elements.first }

  mutating func insert(_ element: Element) {
    precondition(element.heapIndex == -1)
    element.heapIndex = elements.count
    elements.append(element)
    rise(element.heapIndex)
  }

  /// Nothing happens to an element that is not in it.
  mutating func remove(_ element: Element) {
    let index = element.heapIndex
    if index < 0 { return }
    element.heapIndex = -1
    let last = elements.removeLast()
    if last === element { return }
    place(last, index)
    rise(index)
    sink(last.heapIndex)
  }

  /// To be called when an element's due time moved away.
  mutating func postponed(_ element: Element) { sink(element.heapIndex) }

  private mutating func place(_ element: Element, _ index: Int) {
    elements[index] = element
    element.heapIndex = index
  }

  private func isBefore(_ a: Element, _ b: Element) -> Bool {
    a.due == b.due ? a.creation < b.creation : a.due < b.due
  }

  private mutating func rise(_ start: Int) {
    var index = start
    let element = elements[index]
    while index > 0, isBefore(element, elements[(index - 1) / 2]) {
      place(elements[(index - 1) / 2], index)
      index = (index - 1) / 2
    }
    place(element, index)
  }

  private mutating func sink(_ start: Int) {
    var index = start
    let element = elements[index]
    while true {
      var child = 2 * index + 1
      if child + 1 < elements.count, isBefore(elements[child + 1], elements[child]) { child += 1 }
      guard child < elements.count, isBefore(elements[child], element) else { break }
      place(elements[child], index)
      index = child
    }
    place(element, index)
  }
}
