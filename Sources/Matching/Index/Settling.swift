import Events

/// What a change does to the filters whose entries do not say it.
///
/// Their records are in memory that no cache has. So they are put off to the end of the walk and taken in stages, a few at
/// once: what the next stage reads is fetched meanwhile.
extension Walk {
  /// A filter that an entry led to, and for which images.
  struct Due: BitwiseCopyable {
    let filter: Int32
    let path: UInt16
    let images: Images
    /// Several ways may lead to it: it is settled once for a change, for both of its images whatever these say.
    let isShared: Bool
  }

  /// So many are under way at once, whose lines a processor's nearest cache holds.
  private static let stageMax = 32

  @inline(__always)
  func putOff(_ entry: Entry, _ images: Images, isShared: Bool) {
    prefetch(records.base.unsafelyUnwrapped + Int(entry.filter))
    trail.pointee.due.append(
      Due(filter: entry.filter, path: entry.path, images: images, isShared: isShared))
  }

  /// Settles what was put off.
  func settle() {
    let due = trail.pointee.due
    for start in stride(from: 0, to: Int(due.count), by: Self.stageMax) {
      let stage = start..<min(start + Self.stageMax, Int(due.count))
      for i in stage {
        FilterRecord.prefetch(record(due[i]))
        prefetch(counts.base.unsafelyUnwrapped + Int(due[i].filter))
      }
      for i in stage {
        let record = record(due[i])
        if let base = record.pointee.paths.base { prefetch(base + Int(due[i].path)) }
        if record.pointee.paths.isEmpty, let base = record.pointee.whole.base { prefetch(base) }
      }
      for i in stage {
        let record = record(due[i])
        if record.pointee.paths.isEmpty { continue }
        if let base = record.pointee.paths[Int(due[i].path)].tests.base { prefetch(base) }
      }
      for i in stage {
        if due[i].isShared { settleOnce(due[i]) } else { settle(due[i]) }
      }
    }
    trail.pointee.due.truncate(to: 0)
  }

  @inline(__always)
  private func record(_ due: Due) -> RecordPointer { records[Int(due.filter)].unsafelyUnwrapped }

  @inline(__always)
  private func concerns(_ record: RecordPointer) -> Bool {
    before == nil || after == nil || record.pointee.columns.intersects(changed)
  }

  private func settle(_ due: Due) {
    let record = record(due)
    if !concerns(record) { return }
    let was = due.images.contains(.before) && before.map { record.pointee.holds($0, past) } ?? false
    let isNow = due.images.contains(.after) && after.map { record.pointee.holds($0, context) } ?? false
    settle(due.filter, record, was, isNow)
  }

  /// Its answers are computed only if this way leads there, of either image.
  private func settleOnce(_ due: Due) {
    let record = record(due)
    if record.pointee.stamp == change || !concerns(record) { return }
    var (was, isNow) = (false, false)
    if !record.pointee.paths.isEmpty {
      let tests = record.pointee.paths[Int(due.path)].tests
      was = before.map { FilterRecord.hold(tests, $0, past) } ?? false
      isNow = after.map { FilterRecord.hold(tests, $0, context) } ?? false
      if !was && !isNow || was && isNow && record.pointee.isExact && !record.pointee.isObserved { return }
    }
    record.pointee.stamp = change
    let isKnown = record.pointee.isExact && !record.pointee.paths.isEmpty
    was = was && isKnown || before.map { record.pointee.passes($0, past) } ?? false
    isNow = isNow && isKnown || after.map { record.pointee.passes($0, context) } ?? false
    settle(due.filter, record, was, isNow)
  }

  @inline(__always)
  private func settle(_ filter: Int32, _ record: RecordPointer, _ was: Bool, _ isNow: Bool) {
    counts[Int(filter)] += (isNow ? 1 : 0) - (was ? 1 : 0)
    if record.pointee.isObserved && (was || isNow) {
      trail.pointee.moves.append(FilterIndex.Move(filter: filter, wasIn: was, isIn: isNow))
    }
  }
}
