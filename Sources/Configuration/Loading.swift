import Base

/// A configuration that holds, and what is odd about it.
public struct LoadedConfiguration: Equatable, Sendable {
  public var configuration: Configuration
  /// Such as variables that look like ours and are not.
  public var warnings: [Diagnostic]
}

extension Configuration {
  /// Reads a configuration: the defaults, over them the file's keys, over them those of the environment.
  ///
  /// - Parameters:
  ///   - path: one YAML file, at most 1 MiB; nil for none.
  ///   - environment: for `${NAME}` and for variables such as `BELFRY_KAFKA_BOOTSTRAP`.
  ///   - readFile: reads the file and what `secret_file` names (`readFile(_:_:)` for the disk).
  ///   - check: finds the faults that only others can tell. It is asked even where the reading found some;
  ///     keys that have one are at their defaults then.
  /// - Throws: all faults at once, each with its place. Trying again without a change gives the same.
  public static func load(
    path: String?, environment: [String: String], readFile: @escaping FileReader,
    check: (Configuration) -> [Diagnostic] = { _ in [] }
  ) throws(ConfigurationErrors) -> LoadedConfiguration {
    var reading = Reading(environment: environment, readFile: readFile)
    if let path { reading.file(path) }
    reading.variables()
    reading.compare()
    for fault in check(reading.configuration) { reading.problems.error(fault.place, fault.message) }
    try reading.problems.check()
    return LoadedConfiguration(
      configuration: reading.configuration, warnings: reading.problems.warnings)
  }
}

/// One run of `load`.
private struct Reading {
  let environment: [String: String]
  let readFile: FileReader
  var configuration = Configuration()
  var problems = Problems()
  /// Where each key was set last.
  var places: [String: Place] = [:]

  init(environment: [String: String], readFile: @escaping FileReader) {
    self.environment = environment
    self.readFile = readFile
  }

  mutating func file(_ path: String) {
    do throws(Diagnostic) {
      let bytes = try readFile(path, ConfigurationLimits.fileBytesMax)
      guard let written = YamlTree.parse(bytes, source: path, &problems) else { return }
      let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
      root(substituted(written, directory: path.hasPrefix("/") && directory.isEmpty ? "/" : directory))
    } catch {
      problems.error(Place(source: path), error.message)
    }
  }

  private mutating func substituted(_ node: Node, directory: String) -> Node {
    var substitution = Substitution(
      environment: environment, directory: directory, readFile: readFile, problems: problems)
    let result = substitution.apply(to: node)
    problems = substitution.problems
    return result
  }

  private mutating func root(_ node: Node) {
    guard let entries = node.map else {
      return problems.error(node.place, "expected a map of keys, found \(node.shown)")
    }
    let known = Setting.all.filter { !$0.path.contains(".") }.map(\.path) + Setting.groups
    for entry in entries {
      if Setting.groups.contains(entry.key) {
        group(entry)
      } else if let setting = Setting.all.first(where: { $0.path == entry.key }) {
        set(setting, entry.value)
      } else {
        problems.unknown(entry, in: "", known: known)
      }
    }
  }

  private mutating func group(_ group: Node.Entry) {
    let settings = Setting.all.filter { $0.path.hasPrefix("\(group.key).") }
    let names = settings.map { String($0.path.dropFirst(group.key.count + 1)) }
    guard let entries = group.value.map else {
      return problems.error(
        group.value.place,
        "\(group.key): expected a map of \(names.joined(separator: ", ")), found \(group.value.shown)")
    }
    for entry in entries {
      if let i = names.firstIndex(of: entry.key) {
        set(settings[i], entry.value)
      } else {
        problems.unknown(entry, in: group.key, known: names)
      }
    }
  }

  private mutating func set(_ setting: Setting, _ node: Node) {
    places[setting.path] = node.place
    setting.read(&configuration, node, &problems)
  }

  /// In the order of names, so that two runs tell the same.
  mutating func variables() {
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("BELFRY_") {
      let place = Place(source: name)
      if let setting = Setting.all.first(where: { $0.variable == name }) {
        if let node = node(value, for: setting, place) { set(setting, node) }
      } else if name.hasPrefix(Setting.propertyVariablePrefix) {
        property(name, value, place)
      } else {
        let known = Setting.all.map(\.variable)
        problems.warning(place, "unknown variable, ignored\(suggestion(name, known))")
      }
    }
  }

  /// A key that is no single value is given as YAML: `BELFRY_PIPELINES='[{…}]'`.
  private mutating func node(_ value: String, for setting: Setting, _ place: Place) -> Node? {
    if setting.isScalar { return Node(.scalar(Scalar(value, isQuoted: true)), at: place) }
    return YamlTree.parse(Array(value.utf8), source: place.source, &problems)
      .map { substituted($0, directory: "") }
  }

  private mutating func property(_ variable: String, _ value: String, _ place: Place) {
    let name = variable.dropFirst(Setting.propertyVariablePrefix.count).lowercased()
      .map { $0 == "_" ? "." : String($0) }.joined()
    let secret = Node(.scalar(Scalar(value, isQuoted: true, isSecret: true)), at: place)
    let entry = Node.Entry(key: name, keyPlace: place, value: secret)
    Setting.readProperties(&configuration, Node(.map([entry]), at: place), &problems)
  }

  /// Keys that are for versions to come: who sets one hears that it changes nothing.
  private static let withoutEffect = [
    "member.priority": "a cluster has one member for now"
  ]

  /// What must hold between keys.
  mutating func compare() {
    for (path, reason) in Self.withoutEffect.sorted(by: { $0.key < $1.key }) {
      if let place = places[path] { problems.warning(place, "\(path) has no effect: \(reason)") }
    }
    if configuration.members > 1 {
      problems.error(
        places["members"] ?? Place(source: "members"),
        "members: a cluster has one member for now, not \(configuration.members)")
    }
    let sweep = configuration.sweep
    atMost("sweep.interval_ms", sweep.interval, "sweep.interval_max_ms", sweep.intervalMax)
    atMost("sweep.drain_ms", sweep.drain, "sweep.interval_ms", sweep.interval)
  }

  private mutating func atMost(_ low: String, _ a: Duration, _ high: String, _ b: Duration) {
    guard a > b else { return }
    problems.error(
      places[low] ?? places[high] ?? Place(source: low),
      "\(low) (\(a.milliseconds)) must not be larger than \(high) (\(b.milliseconds))")
  }
}
