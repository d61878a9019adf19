import Base
import Bus
import BusConformance
import Events
import Foundation
import Synchronization
import Testing

extension Integration {
  /// What the bus does with librdkafka that no other bus has to.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct KafkaBusTests {
    private let prefix = "kafka\(Scratch.next())-\(getpid())"

    private func makeBus(_ properties: [String: String] = [:]) throws -> KafkaBus {
      try KafkaBus(bootstrap: try Broker.running.bootstrap, properties: properties)
    }

    private func makeTopic(
      _ bus: any Bus, _ name: String, partitions: Int = 1, _ properties: [String: String] = [:]
    ) throws -> TopicPartition {
      try bus.createTopics([TopicSpec("\(prefix).\(name)", partitions: partitions, properties: properties)])
      return TopicPartition("\(prefix).\(name)", 0)
    }

    @Test func `an aborted transaction says which record was refused, and why`() throws {
      let bus = try makeBus()
      let place = try makeTopic(bus, "small", ["max.message.bytes": "1000"])
      let producer = try bus.makeProducer(transactionalID: "\(prefix).seat")
      try producer.initialise()
      try producer.begin()
      let error = failure {
        try producer.send(batch(place, ["fits", String(repeating: "x", count: 5000)]))
        try producer.commit(attemptsMax: 5)
      }
      #expect(error?.remedy == .abort)
      #expect(error?.code == "MSG_SIZE_TOO_LARGE")
      #expect(error?.message.contains("\(place)") == true, "\(error?.message ?? "")")
      try producer.abortOrGiveUp()
      // The lost record leaves a gap in what the broker counts: librdkafka may need one more abort.
      for _ in 0..<3 {
        let error = failure {
          try producer.begin()
          try producer.send(batch(place, ["fits"]))
          try producer.commit(attemptsMax: 5)
        }
        guard let error else { break }
        try #require(error.remedy == .abort)
        try producer.abortOrGiveUp()
      }
      var values: [String?] = []
      try bus.readToEnd([place: earliestOffset], clock: SystemClock()) { batch in
        values += batch.records.map { batch.valueText($0) }
      }
      #expect(values == ["fits"])
    }

    @Test func `a record that a plain producer could not deliver is told with its reason`() throws {
      let bus = try makeBus()
      let place = try makeTopic(bus, "small", ["max.message.bytes": "1000"])
      let producer = try bus.makeProducer()
      try producer.send(batch(place, [String(repeating: "x", count: 5000)]))
      let error = failure { try producer.flush(timeout: .seconds(30)) }
      #expect(error?.code == "MSG_SIZE_TOO_LARGE")
      #expect(error?.message.contains("\(place)") == true, "\(error?.message ?? "")")
    }

    @Test func `a commit whose answers are lost is done once`() throws {
      let broker = try Broker.running
      let wire = try Wire(port: broker.wirePort, to: broker.wiredPort)
      defer { wire.close() }
      let onlooker = try makeBus()
      let place = try makeTopic(onlooker, "t")
      let bus = try KafkaBus(bootstrap: "127.0.0.1:\(broker.wirePort)")
      let producer = try bus.makeProducer(transactionalID: "\(prefix).seat")
      try producer.initialise()
      // First what the broker says to a transaction's first request gets lost, then that it has committed.
      for (number, isolation) in [Isolation.uncommitted, .committed].enumerated() {
        let before = try onlooker.endOffset(place, isolation: .uncommitted)
        let lost = wire.lostBytes
        try producer.begin()
        if isolation == .uncommitted { wire.loseAnswers() }
        try producer.send(batch(place, ["\(number)a", "\(number)b"]))
        if isolation == .committed {
          try eventually("the records") {
            try onlooker.endOffset(place, isolation: .uncommitted) >= before + 2
          }
          wire.loseAnswers()
        }
        let mender = Thread {
          while wire.lostBytes == lost { usleep(10_000) }
          // Not for ever: what got lost may be the last word about the records, without which no commit begins.
          for _ in 0..<200 where isolation == .committed && !onlooker.hasCommitted(place, before + 2) {
            usleep(10_000)
          }
          wire.mend()
        }
        mender.start()
        try producer.commit(attemptsMax: 5)
        #expect(wire.lostBytes > lost)
      }
      var values: [String?] = []
      try onlooker.readToEnd([place: earliestOffset], clock: SystemClock()) { batch in
        values += batch.records.map { batch.valueText($0) }
      }
      #expect(values == ["0a", "0b", "1a", "1b"])
    }

    @Test func `a consumer that is not polled stays in its group, and holds what its queue may`() throws {
      let bus = try makeBus([
        "session.timeout.ms": "6000", "queued.max.messages.kbytes": "1024",
        "fetch.message.max.bytes": "262144",
      ])
      let place = try makeTopic(bus, "t", partitions: 2)
      let (paused, fetched) = (place, TopicPartition(place.topic, 1))
      let handler = Positions()
      let consumer = try bus.makeConsumer(
        group: "\(prefix).group", instanceID: "\(prefix).seat", topics: [place.topic], handler: handler)
      let polled = RecordBatch()
      try eventually("the partitions") {
        try consumer.poll(into: polled, max: 1, timeout: .milliseconds(100))
        return handler.group != nil
      }
      try consumer.pause([paused])
      let sender = try bus.makeProducer()
      for (target, times) in [(paused, 8), (fetched, 32)] {
        let values = Array(repeating: String(repeating: "x", count: 1000), count: 1000)
        for _ in 0..<times { try sender.send(batch(target, values)) }
      }
      try sender.flush(timeout: .seconds(30))
      // A report every 5 s: three take longer than two sessions. An idle producer's are served, too.
      let producer = try bus.makeProducer(transactionalID: "\(prefix).idle")
      var ages: [String: Set<Int64>] = [:]
      var held: [Int64] = []
      try eventually("three reports of each, while nobody polls: \(ages)") {
        for text in bus.statistics().values {
          let report = try JSON(parsing: text)
          ages[report["type"]?.string ?? "", default: []].insert(report["age"]?.int ?? 0)
          guard let queues = report["topics"]?[place.topic]?["partitions"] else { continue }
          held.append(["0", "1"].reduce(0) { $0 + (queues[$1]?["fetchq_size"]?.int ?? 0) })
        }
        return ages["consumer"]?.count ?? 0 >= 3 && ages["producer"]?.count ?? 0 >= 3
      }
      #expect(held.max()! > 100_000, "it fetched ahead")
      #expect(held.max()! < 8_000_000, "of 32 MB: the queue's limit and what single fetches bring besides")
      var counts: [Int32: Int] = [:]
      func poll(until total: Int) throws {
        try eventually("\(total) records: \(counts)") {
          polled.removeAll()
          try consumer.poll(into: polled, max: 10_000, timeout: .milliseconds(100))
          for record in polled.records { counts[record.partition, default: 0] += 1 }
          return counts.values.reduce(0, +) >= total
        }
      }
      try poll(until: 32_000)
      #expect(counts == [1: 32_000])
      try consumer.resume([paused])
      try poll(until: 40_000)
      #expect(counts == [0: 8000, 1: 32_000])
      #expect(handler.revocations == [])
      producer.close()
    }

    /// librdkafka 2.0.2 sends heartbeats without a member id then, as one that a commit keeps from polling.
    @Test func `a consumer that fences itself is told apart from one whose seat another has taken`() throws {
      let kafka = try OwnKafka()
      let lines = Lines()
      let log = Log(Log.Sink(clock: SystemClock(), least: .warning) { lines.append($0) }, "bus")
      // Long enough for a broker that starts on a busy machine.
      let bus = try KafkaBus(
        bootstrap: kafka.bootstrap, properties: ["session.timeout.ms": "15000"], log: log)
      let place = try makeTopic(bus, "t")
      let polled = RecordBatch()
      func join(_ bus: KafkaBus) throws -> (consumer: any GroupConsumer, handler: Positions) {
        let handler = Positions()
        let consumer = try bus.makeConsumer(
          group: "\(prefix).group", instanceID: "\(prefix).seat", topics: [place.topic], handler: handler)
        try eventually(within: .seconds(60), "the partition") {
          try consumer.poll(into: polled, max: 1, timeout: .milliseconds(100))
          return handler.partitions == [place]
        }
        return (consumer, handler)
      }
      func end(of member: (consumer: any GroupConsumer, handler: Positions)) throws -> BusError? {
        var error: BusError?
        try eventually("an end that is no hiccup: \(String(describing: error))") {
          error = failure { try member.consumer.poll(into: polled, max: 1, timeout: .milliseconds(100)) }
          return error != nil && error?.remedy != .retry
        }
        return error
      }
      let first = try join(bus)
      try kafka.kill()
      try eventually("the end of its session") { lines.text.contains("session timed out") }
      try kafka.start()
      try eventually("the fence") { lines.text.contains("Static consumer fenced") }
      #expect(try end(of: first) == .sessionOver)

      let second = try join(bus)
      let third = try join(try KafkaBus(bootstrap: kafka.bootstrap))
      #expect(try end(of: second)?.code == "FENCED_INSTANCE_ID")
      #expect(third.handler.revocations == [])
    }

    @Test func `the topics of a cluster are made as the contract says`() throws {
      let town = try Town()
      try town.start()
      let reply = try town.request("c", "n", "SELECT Node FROM alerts")
      let view = try #require(reply["stream"]?["topic"]?.string)
      let names = [
        "events", "events.dlq", "commands", "inbox", "table.alerts", "requests", "replies", "lanes.view",
        "progress", "cluster",
      ]
      let found = try town.bus.topicProperties(names.map { "\(town.name).\($0)" } + [view])
      // topic | cleanup | retention, ms, where it deletes | min. compaction lag, ms | timestamps
      let wanted = """
        events | delete | 604800000 | 0 | CreateTime
        events.dlq | delete | 604800000 | 0 | CreateTime
        commands | delete | 604800000 | 0 | CreateTime
        inbox | delete | 604800000 | 0 | CreateTime
        table.alerts | compact | - | 86400000 | CreateTime
        requests | compact | - | 0 | LogAppendTime
        replies | compact,delete | 604800000 | 0 | CreateTime
        lanes.view | compact | - | 0 | CreateTime
        progress | compact | - | 86400000 | CreateTime
        cluster | compact | - | 0 | CreateTime
        view | compact | - | 0 | CreateTime
        """
      for line in wanted.split(separator: "\n") {
        let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        let name = cells[0] == "view" ? view : "\(town.name).\(cells[0])"
        let topic = try #require(found[name], "\(name)")
        #expect(topic["cleanup.policy"] == cells[1], "\(name)")
        if cells[2] != "-" { #expect(topic["retention.ms"] == cells[2], "\(name)") }
        #expect(topic["min.compaction.lag.ms"] == cells[3], "\(name)")
        #expect(topic["message.timestamp.type"] == cells[4], "\(name)")
        #expect(topic["max.message.bytes"] == (cells[0] == "events" ? "2097152" : "8388608"), "\(name)")
      }
      let counts = try town.bus.partitionCounts(names.map { "\(town.name).\($0)" } + [view])
      let many = ["events": 3, "inbox": 3, "table.alerts": 3, "lanes.view": 8]
      for name in names { #expect(counts["\(town.name).\(name)"] == many[name] ?? 1, "\(name)") }
      #expect(counts[view] == 1)
    }

    @Test func `a topic that was there with another policy is told at the start, and left as it is`() throws {
      let town = try Town()
      let changelog = town.topics.changelog("alerts")
      try town.bus.createTopics([TopicSpec(changelog, partitions: 3, properties: [:])])
      try town.start()
      let words = "topic \(changelog) has cleanup.policy=delete, it should be compact"
      try eventually("the warning: \(town.member!.errors)") { town.member!.errors.contains(words) }
      #expect(try town.bus.topicProperties([changelog])[changelog]?["cleanup.policy"] == "delete")
    }
  }
}

/// Keeps what is logged.
private final class Lines: Sendable {
  private let lines = Mutex("")
  func append(_ line: String) { lines.withLock { $0 += line } }
  var text: String { lines.withLock { $0 } }
}

extension KafkaBus {
  /// Whether a committed reader's end is there, as far as can be told now.
  fileprivate func hasCommitted(_ place: TopicPartition, _ offset: Int64) -> Bool {
    (try? endOffset(place, isolation: .committed)).map { $0 >= offset } ?? false
  }
}
