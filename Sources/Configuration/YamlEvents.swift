import CYaml

/// One step of a YAML text. C's own events are freed before the next is asked for.
struct YamlEvent {
  enum Kind {
    case documentStart, scalar, listStart, listEnd, mapStart, mapEnd, alias, streamEnd, other
  }
  var kind: Kind
  var place: Place
  var text = ""
  var anchor: String?
  var tag: String?
  var isQuoted = false
}

/// libyaml's parser over bytes that it owns. One thread at a time.
struct YamlEvents: ~Copyable {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeMutableBufferPointer<UInt8>
  private let source: String

  init(_ bytes: [UInt8], source: String) {
    self.source = source
    input = .allocate(capacity: max(bytes.count, 1))
    _ = input.update(fromContentsOf: bytes)
    parser = .allocate(capacity: 1)
    precondition(yaml_parser_initialize(parser) == 1, "out of memory")
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deallocate()
  }

  /// The next event. Throws where the text is no YAML; not to be called again after that.
  mutating func next() throws(Diagnostic) -> YamlEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { yaml_event_delete(&event) }
    return converted(event)
  }

  private func converted(_ event: yaml_event_t) -> YamlEvent {
    var result = YamlEvent(kind: .other, place: place(event.start_mark))
    switch event.type {
    case YAML_DOCUMENT_START_EVENT: result.kind = .documentStart
    case YAML_STREAM_END_EVENT: result.kind = .streamEnd
    case YAML_SEQUENCE_END_EVENT: result.kind = .listEnd
    case YAML_MAPPING_END_EVENT: result.kind = .mapEnd
    case YAML_ALIAS_EVENT:
      result.kind = .alias
      result.text = Self.text(event.data.alias.anchor) ?? ""
    case YAML_SEQUENCE_START_EVENT:
      result.kind = .listStart
      result.anchor = Self.text(event.data.sequence_start.anchor)
      result.tag = Self.text(event.data.sequence_start.tag)
    case YAML_MAPPING_START_EVENT:
      result.kind = .mapStart
      result.anchor = Self.text(event.data.mapping_start.anchor)
      result.tag = Self.text(event.data.mapping_start.tag)
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      result.kind = .scalar
      result.text = String(
        decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      result.anchor = Self.text(scalar.anchor)
      result.tag = Self.text(scalar.tag)
      result.isQuoted = scalar.style != YAML_PLAIN_SCALAR_STYLE
    default: break
    }
    return result
  }

  private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    pointer.map { String(cString: $0) }
  }

  private func place(_ mark: yaml_mark_t) -> Place {
    Place(source: source, line: mark.line + 1, column: mark.column + 1)
  }

  private func problem() -> Diagnostic {
    let what = parser.pointee.problem.map { String(cString: $0) } ?? "unreadable"
    let context = parser.pointee.context.map { " (\(String(cString: $0)))" } ?? ""
    // The reader's faults (bytes that are no UTF-8) come before there is a mark, with an offset only.
    if parser.pointee.error == YAML_READER_ERROR {
      return Diagnostic(lineOf(offset: parser.pointee.problem_offset), "no UTF-8 text: \(what)")
    }
    return Diagnostic(place(parser.pointee.problem_mark), "no YAML: \(what)\(context)")
  }

  private func lineOf(offset: Int) -> Place {
    let before = input[..<min(offset, input.count)]
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    return Place(source: source, line: line, column: before.count - lineStart + 1)
  }
}
