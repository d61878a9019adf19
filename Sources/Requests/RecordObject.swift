import Events
import Query

/// The JSON object in a client's record, read member by member; JSON null is as good as none.
struct RecordObject {
  let json: JSON

  /// An object that was read before.
  init(_ json: JSON) { self.json = json }

  /// Reads a record's value: `what` names it in messages, `memberNames` are all that it may have.
  init(
    parsing value: UnsafeRawBufferPointer, _ what: String, memberNames: [String], bytesMax: Int
  ) throws(Rejection) {
    try self.init(parsing: value, what, bytesMax: bytesMax)
    try check(memberNames, what)
  }

  /// The same of an object whose members' names are checked later.
  init(parsing value: UnsafeRawBufferPointer, _ what: String, bytesMax: Int) throws(Rejection) {
    guard value.count <= bytesMax else {
      throw Rejection(.limit, "the \(what) has more than \(bytesMax) bytes")
    }
    do { json = try JSON(parsing: value) } catch { throw Rejection(error) }
    guard json.members != nil else {
      throw Rejection(.json, "a \(what) is a JSON object", place: (1, 1))
    }
  }

  func check(_ memberNames: [String], _ what: String) throws(Rejection) {
    for member in json.members ?? [] where !memberNames.contains(member.name) {
      throw Rejection(
        .member,
        "a \(what) has no member \(excerpt(member.name))" + suggestion(for: member.name, among: memberNames))
    }
  }

  private func member(_ name: String) -> JSON? {
    let value = json[name]
    return value == .null ? nil : value
  }

  /// An empty text is as good as none.
  func text(_ name: String, bytesMax: Int) throws(Rejection) -> String? {
    guard let value = member(name) else { return nil }
    guard let text = value.string else { throw Rejection(.value, "\(name) is a text") }
    guard text.utf8.count <= bytesMax else {
      throw Rejection(.limit, "\(name) has more than \(bytesMax) bytes")
    }
    return text.isEmpty ? nil : text
  }

  func requiredText(_ name: String, bytesMax: Int) throws(Rejection) -> String {
    guard let text = try text(name, bytesMax: bytesMax) else {
      throw Rejection(.value, "\(name) is missing")
    }
    return text
  }

  func word<Word>(_ name: String) throws(Rejection) -> Word?
  where Word: RawRepresentable & CaseIterable, Word.RawValue == String {
    guard let value = member(name) else { return nil }
    if let word = value.string.flatMap(Word.init(rawValue:)) { return word }
    let known = Word.allCases.map(\.rawValue)
    let hint = value.string.map { suggestion(for: $0, among: known) } ?? ""
    throw Rejection(.value, "\(name) is one of \(known.joined(separator: ", "))\(hint)")
  }

  func truth(_ name: String) throws(Rejection) -> Bool? {
    guard let value = member(name) else { return nil }
    guard let truth = value.bool else { throw Rejection(.value, "\(name) is true or false") }
    return truth
  }

  func number(_ name: String, _ range: ClosedRange<Int64>) throws(Rejection) -> Int64? {
    guard let value = member(name) else { return nil }
    if let number = value.int, range.contains(number) { return number }
    let bounds =
      range.upperBound == .max ? "\(range.lowerBound) on" : "\(range.lowerBound) to \(range.upperBound)"
    throw Rejection(.value, "\(name) is a whole number of milliseconds, \(bounds)")
  }
}

/// A client's text for a message, shortened where it is long.
func excerpt(_ text: String) -> String {
  let limit = 32
  return text.count <= limit ? text : text.prefix(limit) + "…"
}
