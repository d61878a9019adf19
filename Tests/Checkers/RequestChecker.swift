import Base
import Bus
import Events

/// Compares the replies with what clients asked for.
struct RequestChecker {
  /// A stream that lives, and what its records must say.
  struct LivingStream {
    let id: String
    let set: String
    let topic: String
    let partition: Int32
    let prefix: String
    let view: ViewCase
  }

  private struct Living {
    let key: String
    let view: Int
    let placement: String
    let interval: Int64
    let link: String?
    let reply: JSON
  }

  private let world: any World
  private let topics: ClusterTopics
  private var living: [Living] = []
  /// Requests of gateways that live, and their streams.
  private var gateways: Set<String> = []
  private var changeStreams: Set<String> = []
  private(set) var streams: [String: LivingStream] = [:]
  /// The streams of requests that live, by the requests' keys.
  private(set) var streamOf: [String: String] = [:]

  /// `isRestarted`: no topic of a stream that ended may be left.
  init(_ world: any World, isRestarted: Bool) throws(Fault) {
    self.world = world
    topics = world.topics
    // Replies are kept for a week; a client has read them by then.
    let replies = folded(world.history(topics.replies, 0))
    for (key, value) in folded(world.present(topics.requests, 0)).sorted(by: { $0.key < $1.key }) {
      try check(key, value, replies[key].flatMap { $0 })
    }
    try checkSharing()
    try checkIntervals()
    try checkRegistry(isRestarted)
    try checkClaims()
  }

  private mutating func check(_ key: String, _ value: String?, _ reply: String?) throws(Fault) {
    guard let reply = reply.flatMap({ try? JSON(parsing: $0) }) else { throw Fault("\(key) has no reply") }
    let status = reply["status"]?.string ?? "none"
    func expect(_ expected: String) throws(Fault) {
      try demand(status == expected, "\(key) is \(status), expected \(expected): \(value ?? "null")")
    }
    guard let value else { return try expect("ended") }
    guard let request = try? JSON(parsing: value), let sql = request["sql"]?.string,
      let view = knownViews.firstIndex(where: { $0.spellings.contains(sql) })
    else { return try expect("rejected") }
    if request["store_and_forward"] != nil {
      try demand(["away", "full"].contains(status), "\(key) is \(status), its client is away: \(value)")
    } else if request["lease_ms"] != nil, !key.hasSuffix(Clients.kept) {
      return try expect("ended")
    } else {
      try expect("active")
    }
    if Gateways.isOne(key) {
      gateways.insert(key)
      changeStreams.insert(reply["stream"]?["id"]?.string ?? "none")
      return
    }
    living.append(
      Living(
        key: key, view: view,
        placement: request["placement"]?.string ?? (knownViews[view].isList ? "own" : "lane"),
        interval: request["interval_ms"]?.int ?? world.pace.intervalDefault.milliseconds,
        link: request["link"]?.string.map { "\(request["client"]!.string!)/\($0)" }, reply: reply))
  }

  /// The same view in the same place is the same stream, the same filter the same set; others are others.
  private mutating func checkSharing() throws(Fault) {
    let there = Set(world.topicNames)
    var idOf: [String: String] = [:]
    var setOf: [String: String] = [:]
    for request in living {
      guard let stream = request.reply["stream"], let id = stream["id"]?.string,
        let topic = stream["topic"]?.string, let partition = stream["partition"]?.int,
        let prefix = stream["key_prefix"]?.string, let set = request.reply["set"]?.string
      else { throw Fault("\(request.key): a reply without its stream: \(request.reply.text)") }
      let form = "\(request.view) \(request.placement)"
      let view = knownViews[request.view]
      try demand(idOf[form, default: id] == id, "\(request.key): \(form) has two streams")
      try demand(setOf[view.filter, default: set] == set, "\(request.key): the filter has two sets")
      try demand(there.contains(topic), "\(request.key): there is no topic \(topic)")
      try demand(
        (prefix.isEmpty ? "own" : "lane") == request.placement, "\(request.key): placed elsewhere: \(topic)")
      idOf[form] = id
      streamOf[request.key] = id
      setOf[view.filter] = set
      if let known = streams[id] {
        try demand(known.topic == topic && known.prefix == prefix, "\(request.key): \(id) is in two places")
      }
      streams[id] = LivingStream(
        id: id, set: set, topic: topic, partition: Int32(partition), prefix: prefix, view: view)
    }
    try demand(Set(idOf.values).count == idOf.count, "two views share a stream")
    try demand(Set(setOf.values).count == setOf.count, "two filters share a set")
  }

  /// Below what no set was published, at some time.
  private var floors: Set<Int64> {
    let throttle = world.history(topics.registry, 0).filter { $0.keyText == "throttle" }
    return Set(throttle.map { AlertRow($0.valueText)?.number("interval_ms") ?? 0 }).union([0])
  }

  /// Each set has the smallest interval of its requests and of those of the sets linked with it.
  private func checkIntervals() throws(Fault) {
    let floors = floors
    for request in living {
      var sets: Set<String> = [request.reply["set"]!.string!]
      while true {
        let links = Set(living.filter { sets.contains($0.reply["set"]!.string!) }.compactMap(\.link))
        let linked = living.filter { $0.link.map { links.contains($0) } ?? false }
        let grown = sets.union(linked.map { $0.reply["set"]!.string! })
        if grown == sets { break }
        sets = grown
      }
      let least = living.filter { sets.contains($0.reply["set"]!.string!) }.map(\.interval).min()!
      let interval = request.reply["interval_ms"]?.int ?? 0
      // Where sweeps took long it grew, and clients hear of that, and of its coming back, after a while.
      try demand(
        floors.contains { max(least, $0) == interval },
        "\(request.key) is told the interval \(interval), asked are \(least)")
    }
  }

  /// Every term has an epoch of its own.
  private func checkClaims() throws(Fault) {
    var last: Int64 = 0
    for record in world.history(topics.registry, 0) where record.keyText == "claim" {
      let epoch = AlertRow(record.valueText)?.number("epoch") ?? 0
      try demand(epoch > last, "registry@\(record.offset): epoch \(epoch) is claimed after \(last)")
      last = epoch
    }
  }

  private func checkRegistry(_ isRestarted: Bool) throws(Fault) {
    var requests: Set<String> = []
    var active: Set<String> = []
    for (key, value) in folded(world.present(topics.registry, 0)) {
      guard let value = value.flatMap({ try? JSON(parsing: $0) }) else { continue }
      if key.hasPrefix("request/") { requests.insert(String(key.dropFirst(8))) }
      if key.hasPrefix("stream/"), value["state"]?.string != "ended" {
        active.insert(String(key.dropFirst(7)))
      }
    }
    let asked = Set(living.map(\.key)).union(gateways)
    try demand(requests == asked, "the registry has \(requests.sorted()), asked are \(asked.sorted())")
    let told = changeStreams.union(streams.keys)
    try demand(
      active == told, "the registry has streams \(active.sorted()), replies \(told.sorted())")
    let own = Set(streams.values.map(\.topic)).subtracting([topics.viewLanes])
    let there = Set(world.topicNames.filter { $0.hasPrefix(topics.viewPrefix) })
    try demand(
      isRestarted ? there == own : there.isSuperset(of: own),
      "topics of streams: \(there.sorted()), expected \(own.sorted())")
  }
}
