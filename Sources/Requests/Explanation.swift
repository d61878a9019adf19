import Base
import Events
import Query

/// What would become of a view that was requested in mode `net` with its default placement (`EXPLAIN`).
public struct Explanation: Sendable {
  /// The stream's id: any request with this id shares it.
  public let stream: String
  /// The request set's id: all views of one filter.
  public let set: String
  public let placement: Placement
  public let columns: [RecordColumn]
  /// How a changed row would find the view's filter among those of a member; nil where none was asked.
  public let index: String?

  public init(_ view: View, index: String? = nil) {
    self.index = index
    let identity = StreamIdentity()
    placement = view.defaultPlacement
    stream = identity.id(text: view.text, mode: .net, placement: placement, isDefault: true)
    set = identity.setID(filterText: view.filterText)
    columns = view.recordColumns
    self.view = view
  }

  private let view: View

  /// For people: what, and its value.
  public var lines: [(what: String, value: String)] {
    [
      ("canonical", view.text), ("filter", view.filterText), ("stream", stream), ("set", set),
      ("placement", placement.rawValue),
      ("columns", columns.map { "\($0.name) \($0.type.rawValue)" }.joined(separator: ", ")),
      ("reads", columnsRead.joined(separator: ", ")),
      ("time", clockColumns.isEmpty ? "" : "\(clockColumns.joined(separator: ", ")) beside NOW()"),
      ("expands", view.uses.joined(separator: ", ")),
    ] + (index.map { [("index", $0)] } ?? [])
  }

  /// For programs: the same.
  public var json: JSON {
    func texts(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }
    return .object(of: [
      "canonical": .string(view.text), "filter": .string(view.filterText), "stream": .string(stream),
      "set": .string(set), "placement": .string(placement.rawValue),
      "columns": .array(
        columns.map { .object(of: ["name": .string($0.name), "type": .string($0.type.rawValue)]) }),
      "reads": texts(columnsRead), "time": texts(clockColumns), "expands": texts(view.uses),
      "index": index.map { .string($0) },
    ])
  }

  private var columnsRead: [String] { view.columnsUsed.map { view.schema.columns[$0].name } }

  /// Those that are compared with NOW().
  private var clockColumns: [String] {
    Set(view.filter.clockTests.map(\.column)).sorted().map { view.schema.columns[$0].name }
  }
}
