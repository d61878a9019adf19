import Base
import Bus
import Testing

@testable import Notifier
@testable import Requests

@Suite struct ContentsTests {
  private let cluster = SimulatedCluster(seed: 5)
  private let own = stream("aaaaaaaaaaaaaaaa").place
  private let lane = stream("bbbbbbbbbbbbbbbb", .lane).place

  init() throws {
    try cluster.connect().createTopics([
      ClusterTopics.view(own.topic), TopicSpec(topics.viewLanes, partitions: 8, properties: [:]),
    ])
  }

  private func put(_ place: StreamPlace, _ key: String?, _ value: String?) {
    cluster.append(topic: place.topic, partition: place.partition, key: key, value: value)
  }

  private func read(_ places: [StreamPlace], keysMax: Int = Contents.keysMax) throws -> Contents {
    try Contents.read(places, cluster.connect(), cluster.clock, keysMax: keysMax)
  }

  /// Whether a stream's content is these keys with these values.
  private func holds(_ content: [[UInt8]: Fingerprint]?, _ expected: [String: String]) -> Bool {
    let prints = expected.map { key, value in
      (Array(key.utf8), Array(value.utf8).withUnsafeBytes { Fingerprint($0) })
    }
    return content == Dictionary(uniqueKeysWithValues: prints)
  }

  @Test func `a topic is folded: the last value of a key, and none behind a null`() throws {
    for (key, value) in [("k", "1"), ("l", "1"), ("k", "2"), ("l", nil), ("m", "3")] { put(own, key, value) }
    var contents = try read([own])
    #expect(holds(contents.take(own.id), ["k": "2", "m": "3"]))
  }

  @Test func `a lane's keys lose their prefix; other streams' are left aside`() throws {
    for key in ["bbbbbbbbbbbbbbbb/*", "bbbbbbbbbbbbbbbb/a/b", "cccccccccccccccc/*", "no-prefix"] {
      put(lane, key, key)
    }
    put(lane, nil, "no key")
    var contents = try read([own, lane])
    #expect(holds(contents.take(lane.id), ["*": "bbbbbbbbbbbbbbbb/*", "a/b": "bbbbbbbbbbbbbbbb/a/b"]))
    #expect(holds(contents.take(own.id), [:]))
    #expect(contents.take("cccccccccccccccc") == nil)
  }

  @Test func `what a publisher left aborted is not there`() throws {
    put(own, "k", "1")
    let producer = try cluster.connect().makeProducer(transactionalID: topics.publishSeat)
    try producer.initialise()
    try producer.begin()
    let batch = RecordBatch()
    batch.append(topic: own.topic, partition: 0, timestamp: cluster.clock.now(), key: "k", value: "2")
    try producer.send(batch)
    try producer.abort()
    var contents = try read([own])
    #expect(holds(contents.take(own.id), ["k": "1"]))
  }

  @Test func `content is taken once; of no stream there is none`() throws {
    put(own, "k", "1")
    var contents = try read([own])
    #expect(contents.take(own.id) != nil)
    #expect(contents.take(own.id) == nil)
    var none = try read([])
    #expect(none.take(own.id) == nil)
  }

  @Test func `a stream with which the keys are too many is given up, the others are kept`() throws {
    for key in ["a", "b"] { put(lane, lane.keyPrefix + key, "1") }
    for n in 0..<6 { put(own, "k\(n % 5)", "\(n)") }
    put(own, "k0", nil)
    var contents = try read([own, lane], keysMax: 5)
    #expect(contents.tooLarge == [own.id])
    #expect(contents.take(own.id) == nil)
    #expect(holds(contents.take(lane.id), ["a": "1", "b": "1"]))
    #expect(try read([own], keysMax: 5).tooLarge == [])
  }

  @Test func `a topic that is not there is an error to try again`() throws {
    let gone = stream("dddddddddddddddd").place
    #expect { _ = try read([gone]) } throws: { ($0 as? BusError)?.code == "UNKNOWN_TOPIC_OR_PART" }
  }
}
