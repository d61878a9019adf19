import Events

extension FilterIndex {
  /// How the index leads to a filter, for people: `Node = 'x' (hash), then Severity (range)`.
  func accessPath(of number: Int32) -> String {
    let homes = records[Int(number)]!.pointee.homes.elements
    let steps = homes.map { home in
      home.node.pointee.links.reversed().map(text) + (home.isRanged ? [rangeText(number, home)] : [])
    }
    let texts = steps.prefix(Self.pathsShown).map { $0.joined(separator: ", then ") }
    if texts.contains(where: \.isEmpty) || texts.isEmpty { return unindexedText(number) }
    let more = steps.count - texts.count
    return texts.joined(separator: "; or ") + (more > 0 ? "; or \(more) more" : "")
  }

  private static let pathsShown = 8

  private func unindexedText(_ number: Int32) -> String {
    let columns = rows.schema.columns.indices.filter { records[Int(number)]!.pointee.columns.contains($0) }
    let names = columns.map { rows.schema.columns[$0].name }
    return names.isEmpty
      ? "no index: every row is in it"
      : "no index: evaluated for each change of \(names.joined(separator: ", "))"
  }

  private func text(_ link: IndexNode.Link) -> String {
    let name = name(of: link.name.column)
    switch link.name.kind {
    case .points: return "\(name) = \(text(ofPoint: link.key, link.name.column)) (hash)"
    case .pieces:
      let before = link.name.offset == 0 ? "" : " from byte \(link.name.offset + 1)"
      return "\(name)\(before) LIKE '\(text(ofKey: link.key))%' (beginning)"
    case .grams: return "\(name) LIKE '%\(text(ofKey: link.key))%' (gram)"
    }
  }

  private func name(of column: UInt16) -> String {
    column < rows.width ? rows.schema.columns[Int(column)].name : computed.text(of: Int(column))
  }

  private func text(ofPoint key: UInt64, _ column: UInt16) -> String {
    switch column < rows.width ? rows.schema.columns[Int(column)].type : .string {
    case .string: return "'\(rows.strings.string(Cell(key).code))'"
    case .real:
      let key = Int64(bitPattern: key)
      return "\(Double(bitPattern: UInt64(bitPattern: key >= 0 ? key : .min &- key)))"
    case .bool: return key == 0 ? "FALSE" : "TRUE"
    case .int, .time: return "\(Int64(bitPattern: key))"
    }
  }

  private func text(ofKey key: UInt64) -> String { String(decoding: TextKey.bytes(key), as: UTF8.self) }

  private func rangeText(_ number: Int32, _ home: FilterRecord.Home) -> String {
    let ranges = home.node.pointee.ranges!.pointee
    let bare = ranges.bare.elements.filter { $0.pointee.contains(number) }.map(\.pointee.column)
    let others = ranges.mixed.elements.filter { $0.pointee.contains(number) }.map(\.pointee.column)
    let columns = (bare + others).map(name)
    return columns.joined(separator: " and ") + " (range)"
  }
}
