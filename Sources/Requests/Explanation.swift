import Base
import Events
import Query

/// What would become of a view that was requested in mode `net` with its default placement.
public struct Explanation: Sendable {
  /// The stream's id: any request with this id shares it.
  public let stream: String
  /// The request set's id: all views of one filter.
  public let set: String
  public let placement: Placement
  public let columns: [RecordColumn]

  public init(_ view: View) {
    let identity = StreamIdentity()
    placement = view.defaultPlacement
    stream = identity.id(text: view.text, mode: .net, placement: placement, isDefault: true)
    set = identity.setID(filterText: view.filterText)
    columns = view.recordColumns
  }
}
