import Synchronization

/// One named number that goes up (a counter) or up and down (a gauge). Any thread may use it; a
/// change is one relaxed atomic.
public final class Metric: Sendable {
  private let bits = Atomic<Int64>(0)

  public init() {}

  public func add(_ n: Int = 1) { bits.wrappingAdd(Int64(n), ordering: .relaxed) }
  public func set(_ n: Int) { bits.store(Int64(n), ordering: .relaxed) }
  public var value: Int { Int(bits.load(ordering: .relaxed)) }
}

/// Every metric of a process, by name and labels; written out as Prometheus text. Any thread may call.
///
/// `counter` and `gauge` look a metric up under a lock: take it once, keep it, count on it.
public final class Metrics: Sendable {
  /// Metric series at most; past it new ones are counted in `belfry_metric_series_dropped_total`.
  public static let seriesMax = 20_000

  private enum Kind: String { case counter, gauge }
  private struct Family {
    var kind: Kind
    var help: String
    var series: [String: Metric] = [:]
  }
  private struct State {
    var families: [String: Family] = [:]
    var count = 0
  }
  private let state = Mutex(State())
  private let dropped = Metric()

  public init() {}

  /// `labels` are pairs in the order in which they are to be written.
  public func counter(_ name: String, _ help: String, _ labels: [(String, String)] = []) -> Metric {
    metric(name, help, labels, .counter)
  }

  public func gauge(_ name: String, _ help: String, _ labels: [(String, String)] = []) -> Metric {
    metric(name, help, labels, .gauge)
  }

  private func metric(_ name: String, _ help: String, _ labels: [(String, String)], _ kind: Kind)
    -> Metric
  {
    let key = Self.text(of: labels)
    return state.withLock { state in
      if let known = state.families[name]?.series[key] { return known }
      guard state.count < Self.seriesMax else {
        dropped.add()
        return Metric()
      }
      state.count += 1
      let made = Metric()
      state.families[name, default: Family(kind: kind, help: help)].series[key] = made
      return made
    }
  }

  /// Prometheus text exposition format 0.0.4, sorted, so that it can be compared.
  public func prometheusText() -> String {
    var text = state.withLock { state in
      var text = ""
      for (name, family) in state.families.sorted(by: { $0.key < $1.key }) {
        text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind.rawValue)\n"
        for (labels, metric) in family.series.sorted(by: { $0.key < $1.key }) {
          text += "\(name)\(labels) \(metric.value)\n"
        }
      }
      return text
    }
    if dropped.value > 0 { text += "belfry_metric_series_dropped_total \(dropped.value)\n" }
    return text
  }

  /// The value of one series, 0 if there is none. `labels` as given to `counter` or `gauge`.
  public func value(_ name: String, _ labels: [(String, String)] = []) -> Int {
    let key = Self.text(of: labels)
    return state.withLock { $0.families[name]?.series[key]?.value ?? 0 }
  }

  private static func text(of labels: [(String, String)]) -> String {
    guard !labels.isEmpty else { return "" }
    let pairs = labels.map { name, value in
      var escaped = ""
      for c in value {
        switch c {
        case "\\": escaped += "\\\\"
        case "\"": escaped += "\\\""
        case "\n": escaped += "\\n"
        default: escaped.append(c)
        }
      }
      return "\(name)=\"\(escaped)\""
    }
    return "{" + pairs.joined(separator: ",") + "}"
  }
}
