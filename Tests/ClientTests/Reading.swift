import Base
import Bus
import Client
import ConnectorKit
import Events
import Testing

/// A stream's topic on simulated brokers, written by hand and read by a checking reader.
final class Reading {
  let cluster: SimulatedCluster
  let address: StreamAddress

  private let spec: TopicSpec

  /// `prefix`: of a lane.
  init(cleanup: String = "delete", prefix: String = "", seed: UInt64 = 1) throws {
    cluster = SimulatedCluster(seed: seed)
    let topic = prefix.isEmpty ? "belfry.history.a" : "belfry.lanes.history"
    spec = TopicSpec(topic, partitions: 8, properties: ["cleanup.policy": cleanup])
    try cluster.connect(member: "setup").createTopics([spec])
    let stream = JSON.object(of: [
      "id": .string("a"), "topic": .string(topic), "partition": .int(3), "key_prefix": .string(prefix),
    ])
    address = try #require(StreamAddress(reply: .object(of: ["stream": stream])))
  }

  static func headers(_ epoch: Int64, _ seq: Int64) -> KeyValuePairs<String, String> {
    ["belfry-epoch": "\(epoch)", "belfry-seq": "\(seq)", "belfry-sweep": "7"]
  }

  /// The topic is deleted, and made again, empty.
  func makeAgain() throws {
    let admin = cluster.connect(member: "operator")
    try admin.deleteTopics([spec.name])
    try admin.createTopics([spec])
  }

  /// A record with these counts; every one has another key unless it is said.
  func write(_ epoch: Int64, _ seq: Int64, key: String? = nil, value: String? = "{}") {
    cluster.append(
      topic: address.topic, partition: address.partition, key: address.keyPrefix + (key ?? "row \(seq)"),
      value: value, headers: Self.headers(epoch, seq))
  }

  func write(_ epoch: Int64, _ seqs: ClosedRange<Int64>) {
    for seq in seqs { write(epoch, seq) }
  }

  /// A record of another stream, or of anybody.
  func writeBeside(key: String? = "other/row", headers: KeyValuePairs<String, String> = [:]) {
    cluster.append(
      topic: address.topic, partition: address.partition, key: key, value: "{}", headers: headers)
  }

  /// A producer that has the stream's records in a transaction that is still open.
  func open(_ epoch: Int64, _ seqs: ClosedRange<Int64>) throws -> any TransactionalProducer {
    let producer = try cluster.connect(member: "publisher").makeProducer(transactionalID: "publish")
    try producer.initialise()
    try producer.begin()
    let batch = RecordBatch()
    for seq in seqs {
      batch.append(
        topic: address.topic, partition: address.partition, timestamp: cluster.clock.now(), key: "row \(seq)",
        value: "{}", headers: Self.headers(epoch, seq))
    }
    try producer.send(batch)
    return producer
  }

  func reader(_ start: HistoryReader.Start = .from(seq: 1)) throws -> HistoryReader {
    try HistoryReader(address, bus: cluster.connect(member: "reader"), start: start)
  }

  /// All that a new reader says up to the topic's end.
  func read(_ start: HistoryReader.Start = .from(seq: 1)) throws -> [HistoryEvent] {
    let reader = try reader(start)
    defer { reader.close() }
    return try read(reader)
  }

  /// Up to the topic's end.
  func read(_ reader: HistoryReader) throws -> [HistoryEvent] {
    var events: [HistoryEvent] = []
    for _ in 0..<10_000 {
      events += try reader.poll(timeout: .milliseconds(100))
      if try reader.isAtEnd() { return events }
    }
    Issue.record("the end was not reached")
    return events
  }
}

/// Events as short texts: `1:2` for an entry.
func short(_ events: [HistoryEvent]) -> [String] {
  events.map { event in
    switch event {
    case .entry(let entry): "\(entry.position.point)"
    case .restarted(let place): "restarted \(place.point)"
    case .madeAgain(let place): "made again at \(place.point)"
    case .gap(let hole): "gap \(hole.seqs.lowerBound)..\(hole.seqs.upperBound)"
    case .compacted(let hole): "compacted \(hole.seqs.lowerBound)..\(hole.seqs.upperBound)"
    case .fenced(let place): "fenced \(place.point)"
    case .repeated(let place): "repeated \(place.point)"
    case .unreadable(let place, let reason): "unreadable \(place.point) \(reason)"
    case .foreign(let offset): "foreign at \(offset)"
    }
  }
}

extension HistoryEvent {
  var entry: HistoryEntry? {
    if case .entry(let entry) = self { return entry }
    return nil
  }
}

func position(_ epoch: Int64, _ seq: Int64, at offset: Int64? = nil) throws -> StreamPosition {
  StreamPosition(try #require(SequencePoint(epoch: epoch, seq: seq)), offset: offset)
}
