/// The limits of a configuration's text. Whatever is within them costs at most a few tens of MiB.
public enum ConfigurationLimits {
  /// Bytes of a file.
  public static let fileBytesMax = 1 << 20
  /// Bytes of a secret's file, and of one value after substitution.
  public static let valueBytesMax = 64 << 10
  /// Lists and maps within each other.
  public static let depthMax = 32
  /// Values, lists and maps, each counted as often as aliases repeat it.
  public static let nodesMax = 50_000
  /// Bytes of all values, counted in the same way and after substitution.
  public static let textBytesMax = 4 << 20
  public static let pipelinesMax = 256
  public static let tablesMax = 16
  public static let columnsMax = 512
  public static let keyColumnsMax = 8
}

/// Makes the tree of one YAML document from its events. Refuses what would make a configuration
/// ambiguous or expensive: tags, a second document, keys that are no text, duplicate keys, aliases that
/// multiply.
struct YamlTree: ~Copyable {
  private struct Anchored {
    var node: Node
    var nodes: Int
    var bytes: Int
  }

  private var events: YamlEvents
  private var anchors: [String: Anchored] = [:]
  private var nodes = 0
  private var bytes = 0

  private init(_ bytes: [UInt8], source: String) {
    events = YamlEvents(bytes, source: source)
  }

  /// The document's tree; nil when it is empty or when its text is no YAML, which goes to `problems`.
  static func parse(_ bytes: [UInt8], source: String, _ problems: inout Problems) -> Node? {
    guard bytes.count <= ConfigurationLimits.fileBytesMax else {
      problems.error(
        Place(source: source), "larger than \(ConfigurationLimits.fileBytesMax) bytes, which is the limit")
      return nil
    }
    var tree = YamlTree(bytes, source: source)
    do throws(Diagnostic) {
      return try tree.document(&problems)
    } catch {
      problems.error(error.place, error.message)
      return nil
    }
  }

  private mutating func document(_ problems: inout Problems) throws(Diagnostic) -> Node? {
    var root: Node?
    while true {
      let event = try events.next()
      switch event.kind {
      case .streamEnd: return root
      case .documentStart where root != nil:
        throw Diagnostic(event.place, "a second document; one is all there may be")
      case .documentStart: root = try node(try events.next(), depth: 0, &problems)
      default: break
      }
    }
  }

  private mutating func node(_ event: YamlEvent, depth: Int, _ problems: inout Problems)
    throws(Diagnostic) -> Node
  {
    guard depth <= ConfigurationLimits.depthMax else {
      throw Diagnostic(event.place, "nested deeper than \(ConfigurationLimits.depthMax) levels")
    }
    if let tag = event.tag { problems.error(event.place, "the tag \(tag) is not understood") }
    let before = (nodes, bytes)
    try count(1, event.text.utf8.count, event.place)
    let result: Node
    switch event.kind {
    case .alias: return try alias(event)
    case .listStart: result = try list(event, depth, &problems)
    case .mapStart: result = try map(event, depth, &problems)
    default: result = Node(.scalar(Scalar(event.text, isQuoted: event.isQuoted)), at: event.place)
    }
    if event.text.utf8.contains(0) { problems.error(event.place, "a NUL character") }
    if let anchor = event.anchor {
      anchors[anchor] = Anchored(node: result, nodes: nodes - before.0, bytes: bytes - before.1)
    }
    return result
  }

  private mutating func count(_ nodes: Int, _ bytes: Int, _ place: Place) throws(Diagnostic) {
    self.nodes += nodes
    self.bytes += bytes
    if self.nodes > ConfigurationLimits.nodesMax || self.bytes > ConfigurationLimits.textBytesMax {
      throw Diagnostic(place, "too large, with what aliases repeat")
    }
  }

  /// An anchor is known once its node is complete, so a node cannot contain itself.
  private mutating func alias(_ event: YamlEvent) throws(Diagnostic) -> Node {
    guard let anchored = anchors[event.text] else {
      throw Diagnostic(event.place, "the alias *\(event.text) has no anchor before it")
    }
    try count(anchored.nodes, anchored.bytes, event.place)
    return anchored.node
  }

  private mutating func list(_ start: YamlEvent, _ depth: Int, _ problems: inout Problems)
    throws(Diagnostic) -> Node
  {
    var members: [Node] = []
    while true {
      let event = try events.next()
      if event.kind == .listEnd { return Node(.list(members), at: start.place) }
      members.append(try node(event, depth: depth + 1, &problems))
    }
  }

  private mutating func map(_ start: YamlEvent, _ depth: Int, _ problems: inout Problems)
    throws(Diagnostic) -> Node
  {
    var entries: [Node.Entry] = []
    var places: [String: Place] = [:]
    while true {
      let event = try events.next()
      if event.kind == .mapEnd { return Node(.map(entries), at: start.place) }
      let key = try node(event, depth: depth + 1, &problems)
      let value = try node(try events.next(), depth: depth + 1, &problems)
      guard let name = key.text else {
        problems.error(event.place, "a key must be a text, found \(key.shown)")
        continue
      }
      if let first = places[name] {
        problems.error(event.place, "the key '\(name)' is there already, in line \(first.line)")
        continue
      }
      places[name] = event.place
      entries.append(Node.Entry(key: name, keyPlace: event.place, value: value))
    }
  }
}
