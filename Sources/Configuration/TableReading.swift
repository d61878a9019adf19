/// A key inside a declaration, for the reference and for suggestions.
struct DeclarationKey: Sendable {
  var path: String
  var type: String
  var shownDefault: String
  var meaning: String

  var name: String { String(path[path.index(after: path.lastIndex(of: ".") ?? path.startIndex)...]) }

  private static let rules = TableDeclaration.Rule.allCases.map { "`\($0.rawValue)`" }

  static let table: [DeclarationKey] = [
    DeclarationKey(
      path: "tables.<table>.key", type: "list of columns", shownDefault: "required",
      meaning: "The columns by which rows are told apart, 1 to \(ConfigurationLimits.keyColumnsMax)."),
    DeclarationKey(
      path: "tables.<table>.columns", type: "map of columns", shownDefault: "required",
      meaning: "By name: a type, or a map of the three keys below; 1 to \(ConfigurationLimits.columnsMax)."),
  ]
  static let column: [DeclarationKey] = [
    DeclarationKey(
      path: "tables.<table>.columns.<column>.type",
      type: TableDeclaration.ColumnType.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "),
      shownDefault: "required", meaning: "`int` has 64 bits; `time` is milliseconds since 1970 UTC."),
    DeclarationKey(
      path: "tables.<table>.columns.<column>.default", type: "a value of the type",
      shownDefault: "empty, 0, false", meaning: "What a new row has where its event says nothing."),
    DeclarationKey(
      path: "tables.<table>.columns.<column>.on_duplicate", type: rules.joined(separator: ", "),
      shownDefault: "`keep`", meaning: "What a further event of the same key does to the column."),
  ]
}

extension Setting {
  @Sendable static func readTables(
    _ configuration: inout Configuration, _ node: Node, _ problems: inout Problems
  ) {
    guard let entries = node.map else {
      return problems.error(node.place, "tables: expected a map of tables, found \(node.shown)")
    }
    if entries.count > ConfigurationLimits.tablesMax {
      problems.error(node.place, "tables: at most \(ConfigurationLimits.tablesMax)")
    }
    configuration.tables = entries.prefix(ConfigurationLimits.tablesMax).compactMap {
      table($0, &problems)
    }
  }

  /// nil where anything is wrong with it: who is given it may rely on what the errors say.
  private static func table(_ entry: Node.Entry, _ problems: inout Problems) -> TableDeclaration? {
    let before = problems.count
    let isLower: (UInt8) -> Bool = { (97...122).contains($0) }
    guard matches(entry.key, first: isLower, rest: { isLower($0) || isDigit($0) }, bytesMax: 64) else {
      problems.error(
        entry.keyPlace,
        "tables: '\(Node.shown(entry.key))': a table's name is a-z and 0-9, begins with a letter, at most 64")
      return nil
    }
    let path = "tables.\(entry.key)"
    guard
      let fields = fields(
        entry.value, path, DeclarationKey.table.map(\.name), required: ["key", "columns"], &problems)
    else { return nil }
    let columns = columns(fields["columns"]!, "\(path).columns", &problems)
    let declared = fields["columns"]?.map?.map(\.key) ?? []
    let key = key(fields["key"]!, "\(path).key", columns, declared: declared, &problems)
    guard problems.count == before else { return nil }
    return TableDeclaration(name: entry.key, key: key, columns: columns, place: entry.keyPlace)
  }

  /// The entries of a map with known keys; nil when it is no map or a required key is missing.
  private static func fields(
    _ node: Node, _ path: String, _ known: [String], required: [String], _ problems: inout Problems
  ) -> [String: Node]? {
    guard let entries = node.map else {
      problems.error(
        node.place, "\(path): expected a map of \(known.joined(separator: ", ")), found \(node.shown)")
      return nil
    }
    var found: [String: Node] = [:]
    for entry in entries {
      if known.contains(entry.key) {
        found[entry.key] = entry.value
      } else {
        problems.unknown(entry, in: path, known: known)
      }
    }
    let missing = required.filter { found[$0] == nil }
    for name in missing { problems.error(node.place, "\(path).\(name) is missing") }
    return missing.isEmpty ? found : nil
  }

  private static func columns(_ node: Node, _ path: String, _ problems: inout Problems)
    -> [TableDeclaration.Column]
  {
    guard let entries = node.map, !entries.isEmpty else {
      problems.error(node.place, "\(path): expected a map of columns, found \(node.shown)")
      return []
    }
    if entries.count > ConfigurationLimits.columnsMax {
      problems.error(node.place, "\(path): at most \(ConfigurationLimits.columnsMax)")
    }
    var seen: Set<String> = []
    return entries.prefix(ConfigurationLimits.columnsMax).compactMap { entry in
      guard
        matches(
          entry.key, first: { isLetter($0) || $0 == UInt8(ascii: "_") }, rest: isWordByte, bytesMax: 64)
      else {
        problems.error(
          entry.keyPlace,
          "\(path): '\(Node.shown(entry.key))': a column's name is letters, digits and '_', begins with no "
            + "digit, at most 64")
        return nil
      }
      if !seen.insert(entry.key.lowercased()).inserted {
        problems.error(entry.keyPlace, "\(path).\(entry.key): differs from another only in its case")
      }
      return column(entry, "\(path).\(entry.key)", &problems)
    }
  }

  private static func column(_ entry: Node.Entry, _ path: String, _ problems: inout Problems)
    -> TableDeclaration.Column?
  {
    if entry.value.text != nil, !entry.value.isNull {
      return choice(TableDeclaration.ColumnType.self, entry.value, path, &problems).map {
        TableDeclaration.Column(name: entry.key, type: $0, place: entry.keyPlace)
      }
    }
    guard
      let fields = fields(
        entry.value, path, DeclarationKey.column.map(\.name), required: ["type"], &problems),
      let type = choice(TableDeclaration.ColumnType.self, fields["type"]!, "\(path).type", &problems)
    else { return nil }
    var column = TableDeclaration.Column(name: entry.key, type: type, place: entry.keyPlace)
    if let node = fields["default"] {
      if let value = node.text.flatMap({ node.isNull ? nil : type.value($0) }) {
        column.defaultValue = value
      } else {
        problems.error(node.place, "\(path).default: expected \(type.rawValue), found \(node.shown)")
      }
    }
    if let node = fields["on_duplicate"],
      let rule = choice(TableDeclaration.Rule.self, node, "\(path).on_duplicate", &problems)
    {
      column.onDuplicate = rule
      if !type.rules.contains(rule) {
        let rules = type.rules.map(\.rawValue).joined(separator: ", ")
        problems.error(
          node.place, "\(path).on_duplicate: a \(type.rawValue) can only \(rules), found '\(rule.rawValue)'")
      }
    }
    return column
  }

  private static func choice<Value: RawRepresentable & CaseIterable>(
    _: Value.Type, _ node: Node, _ path: String, _ problems: inout Problems
  ) -> Value? where Value.RawValue == String {
    if let value = node.text.flatMap({ Value(rawValue: $0) }) { return value }
    let names = Value.allCases.map(\.rawValue)
    problems.error(
      node.place,
      "\(path): expected \(names.joined(separator: ", ")), found \(node.shown)"
        + suggestion(node.isSecret ? "" : node.text ?? "", names))
    return nil
  }

  /// `declared` are the columns' names as written: a column that is at fault is not also missing here.
  private static func key(
    _ node: Node, _ path: String, _ columns: [TableDeclaration.Column], declared: [String],
    _ problems: inout Problems
  ) -> [String] {
    guard let members = node.list, (1...ConfigurationLimits.keyColumnsMax).contains(members.count) else {
      problems.error(
        node.place,
        "\(path): expected a list of 1 to \(ConfigurationLimits.keyColumnsMax) columns, found \(node.shown)")
      return []
    }
    var key: [String] = []
    for member in members {
      let name = member.text ?? ""
      if key.contains(name) {
        problems.error(member.place, "\(path): \(name) is there twice")
      } else if declared.contains(name) {
        key.append(name)
      } else if !declared.isEmpty {
        problems.error(
          member.place,
          "\(path): expected one of the columns, found \(member.shown)"
            + suggestion(member.isSecret ? "" : name, declared))
      }
    }
    for column in columns where key.contains(column.name) && column.onDuplicate != .keep {
      problems.error(
        column.place, "\(path): \(column.name) tells rows apart, so a duplicate can only keep it")
    }
    return key
  }
}

/// `; did you mean 'kafka'?`, or nothing.
func suggestion(_ word: String, _ known: [String]) -> String {
  nearest(word, of: known).map { "; did you mean '\($0)'?" } ?? ""
}

extension Problems {
  /// An unknown key, with the key that was most likely meant: one of this map, or the same elsewhere.
  mutating func unknown(_ entry: Node.Entry, in path: String, known: [String]) {
    let here = path.isEmpty ? "" : "\(path): "
    var hint = isFull ? "" : suggestion(entry.key, known)
    if hint.isEmpty, let elsewhere = Setting.all.first(where: { $0.path.hasSuffix(".\(entry.key)") }) {
      hint = "; did you mean '\(elsewhere.path)'?"
    }
    error(entry.keyPlace, "\(here)unknown key '\(Node.shown(entry.key))'\(hint)")
  }
}
