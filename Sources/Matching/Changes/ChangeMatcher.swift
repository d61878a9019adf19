import Base
import Events
import Query

/// Matches changes one by one, as the changelog has them, against views of rows: which of them a row entered, left
/// or changed in. It keeps no rows: a change brings both its images. One thread owns it.
///
/// Views with one filter share its place in the index, so a change costs what it moves.
public final class ChangeMatcher {
  public enum Transition: Sendable {
    case entered, changed, left
  }

  /// Views with one filter.
  private final class Group {
    let number: Int32
    let filterText: String
    /// In the order of their making, which is the order of work.
    var members: [Member] = []
    var observed = ColumnSet()

    init(_ number: Int32, _ filterText: String) {
      self.number = number
      self.filterText = filterText
    }
  }

  private final class Member {
    let number: Int
    let record: PureState
    /// The columns that are in its records as they are.
    let plain: ColumnSet
    let group: Group

    init(_ number: Int, _ outputs: [OutputColumn], _ group: Group) {
      self.number = number
      self.group = group
      record = PureState(outputs, limits: EngineLimits())
      plain = ColumnSet(
        outputs.compactMap { output -> Int? in
          if case .column(let column, _) = output.expression { return column }
          return nil
        })
    }
  }

  private let rows: RowStore
  private let index: FilterIndex
  private let images: ChangeImages
  private var groups: [Group?] = []
  private var groupsByText: [String: Group] = [:]
  private var members: [Member?] = []
  private var freeNumbers: [Int] = []
  private var scratch = ByteBuffer(capacity: 1024)

  public init(_ schema: Schema) {
    rows = RowStore(schema: schema, strings: StringTable())
    index = FilterIndex(rows: rows)
    images = ChangeImages(rows)
  }

  public var viewCount: Int { members.count - freeNumbers.count }

  /// Adds a view of rows whose filter does not read the clock; returns its number, which is used again once the
  /// view is removed.
  public func add(_ view: View) -> Int {
    guard case .pure(let outputs) = view.body, !view.filter.readsTheClock else {
      preconditionFailure("no view whose changes are told: \(view.text)")
    }
    let group = groupsByText[view.filterText] ?? makeGroup(view)
    let number = freeNumbers.popLast() ?? members.count
    if number == members.count { members.append(nil) }
    let member = Member(number, outputs, group)
    members[number] = member
    group.members.append(member)
    observe(group)
    return number
  }

  public func remove(_ number: Int) {
    guard let member = members[number] else { return }
    let group = member.group
    members[number] = nil
    freeNumbers.append(number)
    group.members.removeAll { $0 === member }
    if !group.members.isEmpty { return observe(group) }
    groups[Int(group.number)] = nil
    groupsByText[group.filterText] = nil
    index.remove(group.number)
  }

  private func makeGroup(_ view: View) -> Group {
    let group = Group(index.insert(view.filter, observed: ColumnSet(), count: 0), view.filterText)
    while groups.count <= Int(group.number) { groups.append(nil) }
    groups[Int(group.number)] = group
    groupsByText[view.filterText] = group
    return group
  }

  private func observe(_ group: Group) {
    let columns = group.members.reduce(into: ColumnSet()) { $0.formUnion($1.record.columns) }
    if columns == group.observed { return }
    group.observed = columns
    index.observe(group.number, columns)
  }

  /// Takes one change: the new row as a flat JSON object (nil: it was deleted) and the old values of what changed
  /// (`belfry-before`), and tells `body` of each view that it moved in. There, and until the next change, the row's
  /// records can be written. Says why a change cannot be read.
  public func take(
    value: UnsafeRawBufferPointer?, before: UnsafeRawBufferPointer?,
    _ body: (_ view: Int, Transition) -> Void
  ) -> Refusal? {
    if let refusal = images.read(value: value, before: before) { return refusal }
    var changed = ColumnSet()
    if let before = images.before, let after = images.after {
      changed = ColumnSet(changedBetween: before, after, width: rows.width)
      if changed.isEmpty { return nil }
    }
    index.apply(before: images.before, after: images.after, changed: changed) { move in
      guard let group = groups[Int(move.filter)] else { return }
      for member in group.members {
        switch (move.wasIn, move.isIn) {
        case (false, true): body(member.number, .entered)
        case (true, false): body(member.number, .left)
        case (true, true): if isSeen(changed, by: member) { body(member.number, .changed) }
        case (false, false): break
        }
      }
    }
    return nil
  }

  /// Whether the record of a row that stays in the view is another now. What is computed may come out the same.
  private func isSeen(_ changed: ColumnSet, by member: Member) -> Bool {
    if changed.intersects(member.plain) { return true }
    if !changed.intersects(member.record.columns) { return false }
    scratch.removeAll()
    writeBefore(member.number, to: &scratch)
    let end = scratch.count
    writeAfter(member.number, to: &scratch)
    return compareBytes(scratch[0..<end], scratch[end..<scratch.count]) != 0
  }

  /// Writes the view's record of the row as it was; there must have been one.
  public func writeBefore(_ view: Int, to buffer: inout ByteBuffer) {
    members[view]!.record.write(images.before!, rows.strings, to: &buffer)
  }

  /// The same as it is.
  public func writeAfter(_ view: Int, to buffer: inout ByteBuffer) {
    members[view]!.record.write(images.after!, rows.strings, to: &buffer)
  }
}
