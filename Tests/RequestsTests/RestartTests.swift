import Base
import Events
import Testing

@testable import Requests

@Suite struct RestartTests {
  @Test func `a restart finds everything as it was and says nothing`() {
    let desk = Desk()
    desk.ask("a/x", core, #""link":"w","interval_ms":1000"#)
    desk.ask("a/y", counter, #""link":"w""#)
    desk.ask("b/x", sameCore)
    desk.ask("b/y", other)
    desk.send("b/y", nil)
    let before = picture(desk.registry)
    let written = desk.cluster
    #expect(desk.restart().isEmpty)
    #expect(picture(desk.registry) == before)
    #expect(desk.cluster == written)
    #expect(desk.wait(.seconds(30)).ended.count == 1)
  }

  @Test func `the first renewal behind a restart is known by its content`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.restart()
    #expect(desk.ask("a/x", core).isEmpty)
    #expect(desk.ask("a/x", core).isEmpty)
    #expect(desk.registry.counts.recordsParsed == 1)
  }

  @Test func `a new default interval reaches the clients that named none`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("a/y", other, #""interval_ms":1000"#)
    let effects = desk.restart(RegistrySettings(intervalDefault: .seconds(2)))
    #expect(effects.replies.map(\.key) == ["a/x"])
    #expect(desk[reply: "a/x"]["interval_ms"] == .int(2000))
  }

  @Test func `requests on columns that are gone are rejected, those that can be are asked anew`() throws {
    let wide = Schema(table: "t", columns: [Column("k", .string), Column("a", .int)], key: ["k"])
    let narrow = Schema(table: "t", columns: [Column("k", .string)], key: ["k"])
    let desk = Desk(tables: Tables(schemas: [wide]))
    desk.ask("c/star", "SELECT * FROM t")
    desk.ask("c/a", "SELECT k FROM t WHERE a > 1")
    let topics = desk.registry.streams.map(\.place.topic)
    let effects = desk.restart(with: Tables(schemas: [narrow]))
    #expect(effects.ended.map(\.topic) == topics)
    #expect(effects.started.map(\.id) == [desk.streamID("c/star")])
    #expect(desk.error("c/a") == "unknown_column at 1:23")
    #expect(desk.cluster["request/c/a"] == nil)
    let after = picture(desk.registry)
    #expect(desk.restart().isEmpty)
    #expect(picture(desk.registry) == after)
  }

  @Test func `entities that make no sense are counted and dropped, other kinds passed over`() {
    let desk = Desk()
    desk.ask("a/x", core)
    let before = picture(desk.registry)
    let nonsense: [(String, String)] = [
      ("set/1", "{}"), ("set/2", "7"), ("stream/3", #"{"creation":101,"state":"active"}"#),
      ("stream/4", #"{"state":"ended","ended":-4}"#), ("request/a/y", #"{"creation":103}"#),
      ("request/", "null"), ("set/5", #"{"creation":102,"filter":"f","interval_ms":0}"#),
      ("request/b/z", desk.cluster["request/a/x"]!.text),
    ]
    for (key, text) in nonsense { desk.cluster[key] = try? JSON(parsing: text) }
    desk.cluster["claim/9"] = .bool(true)
    desk.restart()
    #expect(picture(desk.registry) == before)
    #expect(desk.registry.counts.restoreFaults == nonsense.count)
    #expect(desk.cluster.keys.sorted().filter { !$0.hasPrefix("claim") }.count == 4)
  }

  @Test func `without its position the registry still gives no number twice`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.send("a/x", nil)
    desk.wait(.seconds(30))
    let last = desk.registry.creations
    desk.cluster["position/requests"] = nil
    desk.log = []
    desk.restart()
    #expect(desk.registry.creations == last)
  }

  @Test(arguments: 0..<20) func `restarts at any point change nothing`(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var settings = RegistrySettings()
    settings.requestsMax = 14
    settings.requestsPerClientMax = 5
    settings.streamsMax = 9
    settings.endedStreamsMax = 3
    settings.quietRecordsMax = 4
    let steady = Desk(settings)
    let shaken = Desk(settings)
    for step in 0..<150 {
      let told = act(&random, steady, shaken)
      #expect(told.0 == told.1, "step \(step)")
      if Int.random(in: 0..<6, using: &random) == 0 {
        steady.registry.countLeasesAfresh(from: steady.now)
        #expect(shaken.restart().isEmpty, "step \(step)")
      }
      #expect(picture(steady.registry) == picture(shaken.registry), "step \(step)")
      #expect(agrees(steady.registry), "step \(step)")
    }
  }

  /// One random thing, done to both; what each told of it.
  private func act(_ random: inout SeededRandom, _ desks: Desk...) -> (String, String) {
    func pick(_ words: [String]) -> String { words.randomElement(using: &random)! }
    let key = pick(["a", "b", "c"]) + "/" + pick(["1", "2", "3", "4", "5", "6"])
    let sql = pick([
      core, sameCore, counter, other, "SELECT Node FROM alerts", "SELECT MAX(Tally) AS m FROM alerts",
    ])
    let more = [
      pick([#""interval_ms":1000"#, #""interval_ms":300"#, ""]), pick([#""link":"w""#, #""link":"v""#, ""]),
      pick([#""lease_ms":20000"#, ""]), pick([#""placement":"lane""#, "", "", #""mode":"all""#]),
    ].filter { !$0.isEmpty }.joined(separator: ",")
    let pause = Duration.milliseconds(Int.random(in: 0..<15_000, using: &random))
    let choice = Int.random(in: 0..<10, using: &random)
    let told = desks.map { desk in
      switch choice {
      case 0..<5: text(desk.ask(key, sql, more))
      case 5, 6: text(desk.send(key, nil))
      case 7: text(desk.log.isEmpty ? Effects() : desk.send(desk.log.last!.key, desk.log.last!.value))
      default: text(desk.wait(pause))
      }
    }
    return (told[0], told[1])
  }

  /// The position and the time of a reply may be written at other moments.
  private func text(_ effects: Effects) -> String {
    let cluster = effects.cluster.filter { $0.key != "position/requests" }
      .map { "\($0.key) \($0.value?.text ?? "null")" }
    let replies = effects.replies.map { "\($0.key) \($0.value.text)" }
    let streams = effects.started.map(\.place) + effects.resumed.map(\.place) + effects.ended
    return (cluster + replies + streams.map(\.topic) + effects.sets.map(\.id) + effects.setsEnded)
      .joined(separator: "\n")
  }

  /// Intervals and link groups computed anew from the requests alone.
  private func agrees(_ registry: Registry) -> Bool {
    // Every change is published at once: its streams are in no sweep.
    let requests = registry.requests.filter { registry.stream($0.stream)?.mode == .net }
    var group = Dictionary(uniqueKeysWithValues: registry.sets.map { ($0.id, $0.creation) })
    for _ in registry.sets {
      for a in requests {
        for b in requests where a.client == b.client && a.link != nil && a.link == b.link {
          let least = min(group[a.set]!, group[b.set]!)
          group[a.set] = least
          group[b.set] = least
        }
      }
    }
    let head = Dictionary(uniqueKeysWithValues: registry.sets.map { ($0.creation, $0.id) })
    return registry.sets.allSatisfy { set in
      let asked = requests.filter { group[$0.set] == group[set.id] }.map { $0.intervalAsked ?? .seconds(5) }
      return set.linkGroup == head[group[set.id]!] && (asked.min() ?? set.interval) == set.interval
    }
  }
}

/// All that a registry shows, as text.
func picture(_ registry: Registry) -> String {
  let requests = registry.requests.map { "\($0)" }
  let streams = registry.streams.map { "\($0.place) \($0.text) \($0.set)" }
  let sets = registry.sets.map { "\($0)" }
  return (requests + streams + sets).joined(separator: "\n")
}
