import Configuration
import ConnectorKit

/// The settings that a connector's `example.yaml` gives its source of this kind: read as the service reads
/// them, so that an example cannot go stale.
public func exampleSettings(_ path: String, kind: String) throws -> ConnectorSettings? {
  let loaded = try Configuration.load(path: path, environment: [:], readFile: readFile)
  return loaded.configuration.pipelines.first?["source"]?[kind].map(settings)
}

private func settings(_ node: Node) -> ConnectorSettings {
  let place = "\(node.place.line):\(node.place.column)"
  switch node.content {
  case .scalar(let scalar):
    return ConnectorSettings(
      scalar: scalar.text, isQuoted: scalar.isQuoted, isSecret: scalar.isSecret, place: place)
  case .list(let members):
    return ConnectorSettings(.list(members.map(settings)), place: place)
  case .map(let entries):
    return ConnectorSettings(
      .map(
        entries.map {
          .init(
            name: $0.key, place: "\($0.keyPlace.line):\($0.keyPlace.column)", value: settings($0.value))
        }), place: place)
  }
}
