import Base
import Bus
import Events
import Matching
import Testing

@testable import Notifier
@testable import Requests

@Suite struct SweepTests {
  private let a = stream("aaaaaaaaaaaaaaaa")
  private let lane = stream("bbbbbbbbbbbbbbbb", .lane, creation: 2)
  private let quiet = stream("cccccccccccccccc", creation: 3)

  private var streams: [String: Requests.Stream] { [a.id: a, lane.id: lane, quiet.id: quiet] }

  private func sweep(_ number: Int64 = 9, epoch: Int64 = 3) -> Sweep {
    Sweep(topics: topics, epoch: epoch, number: number, time: Timestamp(milliseconds: 5_000))
  }

  private func records(
    _ collected: Collected, _ progress: Progress = Progress(), _ contents: Contents = Contents()
  ) -> Sweep.Outcome {
    var contents = contents
    return sweep().records(
      of: collected, streams: streams, sets: ["x", "y"], progress: progress, registryPosition: 17,
      contents: &contents)
  }

  /// The contents of one stream as they would be read from its topic.
  private func found(_ id: String, _ values: [String: String]) throws -> Contents {
    let cluster = SimulatedCluster(seed: 1)
    let place = stream(id).place
    let bus = cluster.connect()
    try bus.createTopics([ClusterTopics.view(place.topic)])
    for (key, value) in values { cluster.append(topic: place.topic, partition: 0, key: key, value: value) }
    return try Contents.read([place], bus, cluster.clock)
  }

  @Test func `records carry epoch, sequence count and sweep; the last of a stream says so`() {
    let outcome = records(
      collected(
        [a.id: ["k1": "{1}", "k2": nil, "k3": "{3}"], lane.id: ["*": "{n}"]], positions: [1: 7, 0: 4])
    )
    let expected = """
      belfry.view.aaaaaaaaaaaaaaaa[0] k1={1} e3 s1 w9
      belfry.view.aaaaaaaaaaaaaaaa[0] k2=null e3 s2 w9
      belfry.view.aaaaaaaaaaaaaaaa[0] k3={3} e3 s3 w9 last
      belfry.progress[0] aaaaaaaaaaaaaaaa={"epoch":3,"seq":3,"sweep":9,"creation":1,"time":5000}
      belfry.lanes.view[\(lane.place.partition)] bbbbbbbbbbbbbbbb/*={n} e3 s1 w9 last
      belfry.progress[0] bbbbbbbbbbbbbbbb={"epoch":3,"seq":1,"sweep":9,"creation":2,"time":5000}
      belfry.progress[0] */belfry.publish={"sweep":9,"epoch":3,"time":5000,"positions":{"0":4,"1":7},"registry":17,"sets":["x","y"]}
      """
    #expect(lines(outcome.batch).joined(separator: "\n") == expected)
    #expect(outcome.published == 4)
    #expect(outcome.states.map(\.id) == [a.id, lane.id])
    #expect(outcome.batch.records.allSatisfy { $0.timestamp.milliseconds == 5_000 })
  }

  @Test func `the sequence count goes on where progress left it`() {
    var progress = Progress()
    progress.set(a.id, StreamState(epoch: 2, seq: 40, creation: 1))
    let outcome = records(collected([a.id: ["k1": "{}", "k2": "{}"]]), progress)
    #expect(lines(outcome.batch)[0].contains("e3 s41 w9"))
    #expect(lines(outcome.batch)[1].contains("e3 s42 w9 last"))
    #expect(outcome.states[0].state == StreamState(epoch: 3, seq: 42, creation: 1))
  }

  @Test func `a count of the stream's earlier life does not go on`() {
    var progress = Progress()
    progress.set(lane.id, StreamState(epoch: 3, seq: 40, creation: 1))
    let outcome = records(collected([lane.id: ["*": "{}"]]), progress)
    #expect(lines(outcome.batch)[0].contains("e3 s1 w9 last"))
  }

  @Test func `a stream without changes publishes nothing, the sweep is told all the same`() {
    let outcome = records(collected([quiet.id: [:]]))
    #expect(outcome.published == 0)
    #expect(outcome.states.isEmpty)
    #expect(outcome.batch.count == 1)
    #expect(outcome.batch.keyText(outcome.batch.records[0]) == "*/belfry.publish")
  }

  @Test func `a stream with a record that is too large fails, the others are published`() {
    let large = String(repeating: "x", count: Sweep.recordBytesMax)
    let outcome = records(
      collected([a.id: ["k1": "{1}", "k2": large], lane.id: ["*": String(large.dropLast())]]))
    #expect(outcome.failures.map(\.stream) == [a.id])
    #expect(outcome.failures[0].reason.hasPrefix("the record of k2 has \(Sweep.recordBytesMax + 2) bytes"))
    #expect(outcome.states.map(\.id) == [lane.id])
    #expect(outcome.published == 1)
  }

  @Test func `a stream whose topic holds too many keys fails`() throws {
    let cluster = SimulatedCluster(seed: 1)
    let bus = cluster.connect()
    try bus.createTopics([ClusterTopics.view(a.place.topic)])
    for key in ["k", "l"] { cluster.append(topic: a.place.topic, partition: 0, key: key, value: "1") }
    let outcome = records(
      collected([a.id: ["k": "1"]]), Progress(),
      try Contents.read([a.place], bus, cluster.clock, keysMax: 1))
    #expect(outcome.failures.map(\.stream) == [a.id])
    #expect(outcome.published == 0)
  }

  @Test func `what was collected for a stream that has ended meanwhile is left out`() {
    let outcome = records(collected(["dddddddddddddddd": ["k": "{}"]]))
    #expect(outcome.published == 0)
  }

  /// What is on the topic, what the view has, and what is published: `key=value`, `-` for a null.
  @Test(arguments: [
    ("", "k=1", "k=1"),
    ("k=1", "k=1", ""),
    ("k=1", "k=2", "k=2"),
    ("k=1", "", "k=-"),
    ("k=1 l=2 m=3", "l=2", "k=- m=-"),
    ("k=1", "l=2", "l=2 k=-"),
    ("k=1", "k=-", "k=-"),
    ("k=1", "l=-", "k=-"),
    ("b=1 a=1 é=1", "", "a=- b=- é=-"),
  ])
  func `a stream that is found on its topic is published as the difference to it`(
    there: String, now: String, expected: String
  ) throws {
    func pairs(_ text: String) -> [(key: String, value: String)] {
      text.split(separator: " ").map { pair in
        let parts = pair.split(separator: "=")
        return (String(parts[0]), String(parts[1]))
      }
    }
    let there = try found(a.id, Dictionary(uniqueKeysWithValues: pairs(there)))
    let batch = SweepBatch()
    batch.append(stream: a.id, pairs(now).map { ($0.key, $0.value == "-" ? nil : $0.value) })
    let outcome = records(
      Collected(batch: batch, units: 1, positions: [:], commands: .max, time: .zero), Progress(), there)
    let published = outcome.batch.records.prefix(outcome.published).map { record in
      "\(outcome.batch.keyText(record)!)=\(outcome.batch.valueText(record) ?? "-")"
    }
    #expect(published.joined(separator: " ") == expected)
    #expect(outcome.published == 0 || lines(outcome.batch)[outcome.published - 1].hasSuffix("last"))
  }

  @Test func `the difference is made once; from then on all that is collected goes out`() throws {
    var contents = try found(a.id, ["k": "{1}"])
    let same = collected([a.id: ["k": "{1}"]])
    let published = (0..<2).map { _ in
      sweep().records(
        of: same, streams: streams, sets: [], progress: Progress(), registryPosition: 0, contents: &contents
      ).published
    }
    #expect(published == [0, 1])
  }

  @Test func `a lane's end is a null for each of its keys, in the order of their bytes`() throws {
    let cluster = SimulatedCluster(seed: 1)
    let bus = cluster.connect()
    try bus.createTopics([TopicSpec(topics.viewLanes, partitions: 8, properties: [:])])
    for key in ["b", "a", "*"] {
      cluster.append(
        topic: topics.viewLanes, partition: lane.place.partition, key: lane.place.keyPrefix + key, value: "1")
    }
    var contents = try Contents.read([lane.place], bus, cluster.clock)
    var progress = Progress()
    progress.set(lane.id, StreamState(epoch: 3, seq: 5, creation: 2))
    let outcome = sweep().ending(
      [lane.place], progress: progress, registryPosition: 17, contents: &contents)
    let text = lines(outcome.batch).prefix(3).map { $0.drop { $0 != "]" }.dropFirst(2) }
    #expect(
      text == [
        "bbbbbbbbbbbbbbbb/*=null e3 s6 w9", "bbbbbbbbbbbbbbbb/a=null e3 s7 w9",
        "bbbbbbbbbbbbbbbb/b=null e3 s8 w9 last",
      ])
    #expect(outcome.published == 3)
  }

  @Test func `a lane without keys ends without a word on it`() {
    var contents = Contents()
    let outcome = sweep().ending(
      [lane.place], progress: Progress(), registryPosition: 0, contents: &contents)
    #expect(outcome.batch.isEmpty)
    #expect(!outcome.isTold)
  }
}
