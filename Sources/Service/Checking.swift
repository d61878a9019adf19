import Base
import Bus
import Configuration
import ConnectorKit
import Events

// What is wrong with a configuration that only those can tell who are to use it. Nothing is started.
extension Configuration {
  /// All of it: librdkafka's properties, what this version cannot serve, and the pipelines.
  public var faults: [Diagnostic] {
    var faults = kafka.propertyFaults
    do throws(Diagnostic) { _ = try Schema.of(self) } catch { faults.append(error) }
    return faults + Pipelines.faults(pipelines)
  }
}

extension Pipelines {
  /// Everything that is wrong with the pipelines, each fault with its place. A probe tells the first fault
  /// that it meets: what that is about is taken away, and the probe asked again.
  public static func faults(_ nodes: [Node]) -> [Diagnostic] {
    nameFaults(nodes).map { Diagnostic(Place(source: $0.place), $0.message) } + nodes.flatMap { faults($0) }
  }

  /// Each turn takes something away, so it ends.
  private static func faults(_ whole: Node) -> [Diagnostic] {
    var faults: [Diagnostic] = []
    var node = whole
    while let error = fault(node) {
      // What is missing only since something was taken away is no fault; nor is the same one, seen again.
      let follows = !faults.isEmpty && error.place == "\(whole.place)"
      if !follows, !faults.contains(where: { $0.message == error.message }) {
        faults.append(Diagnostic(Place(source: error.place), error.message))
      }
      guard let rest = node.removing(error.place) else { break }
      node = rest
    }
    return faults
  }

  private static func fault(_ node: Node) -> ConnectorError? {
    do throws(ConnectorError) {
      _ = try probe(node) { name in
        ProbeContext(
          name: name, sink: NoSink(), clock: SystemClock(), metrics: Metrics(), log: .silent, hostName: "")
      }
      return nil
    } catch {
      return error
    }
  }
}

private struct NoSink: EventSink {
  func send(_ event: ProbeEvent) -> Bool { false }
}

extension Node {
  /// Without the innermost part that stands at this place; nil where nothing does.
  fileprivate func removing(_ place: String) -> Node? {
    switch content {
    case .scalar: return nil
    case .list(var members):
      for i in members.indices {
        if let rest = members[i].removing(place) {
          members[i] = rest
        } else if "\(members[i].place)" == place {
          members.remove(at: i)
        } else {
          continue
        }
        return Node(.list(members), at: self.place)
      }
    case .map(var entries):
      for i in entries.indices {
        if let rest = entries[i].value.removing(place) {
          entries[i].value = rest
        } else if "\(entries[i].keyPlace)" == place || "\(entries[i].value.place)" == place {
          entries.remove(at: i)
        } else {
          continue
        }
        return Node(.map(entries), at: self.place)
      }
    }
    return nil
  }
}
