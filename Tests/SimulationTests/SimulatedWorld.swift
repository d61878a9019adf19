import Base
import Bus
import Checkers

/// The simulated brokers as a world. What is sent is there at once, and all that ever was on a topic is remembered.
final class SimulatedWorld: World {
  let topics: ClusterTopics
  let partitions: Int
  private(set) var pace = Pace(
    lease: .seconds(15), keptLease: .seconds(15), expiry: .seconds(20), intervalDefault: .milliseconds(300))
  private let cluster: SimulatedCluster
  private let foreignBus: SimulatedBus
  private var foreign: (any TransactionalProducer)?

  init(_ cluster: SimulatedCluster, _ topics: ClusterTopics, partitions: Int, storedBytes: Int64) {
    pace.storedBytes = storedBytes
    self.cluster = cluster
    self.topics = topics
    self.partitions = partitions
    foreignBus = cluster.connect(member: "foreign")
  }

  func now() -> Timestamp { cluster.clock.now() }

  func append(
    topic: String, partition: Int32, key: [UInt8]?, value: [UInt8]?, headers: [SeenRecord.Header],
    timestamp: Timestamp
  ) {
    cluster.append(
      topic: topic, partition: partition, key: key, value: value, headers: headers, timestamp: timestamp)
  }

  func flush() {}

  func beginTransaction(_ batch: RecordBatch) -> Bool {
    do throws(BusError) {
      let producer = try foreignBus.makeProducer(transactionalID: "foreign")
      try producer.initialise()
      try producer.begin()
      try producer.send(batch)
      foreign = producer
      return true
    } catch {
      precondition(error.remedy == .retry, "a bus without faults failed: \(error)")
      return false
    }
  }

  /// One that has stood open for too long was ended by the brokers; one that cannot be ended will be.
  func endTransaction(committed: Bool) {
    do throws(BusError) {
      if committed { try foreign?.commit() } else { try foreign?.abort() }
    } catch {
      precondition(error.remedy == .fenced || error.remedy == .retry, "a bus without faults failed: \(error)")
    }
    foreign?.close()
    foreign = nil
  }

  func found(_ topic: String, from offset: Int64) -> [SeenRecord] {
    cluster.records(topic, 0, .committed, from: offset)
  }

  func streamTopics() -> [String] {
    let prefixes = [topics.viewPrefix, topics.historyPrefix, topics.livePrefix]
    return cluster.topicNames.filter { name in
      lanes.contains(name) || prefixes.contains(where: name.hasPrefix)
    }
  }

  func delete(_ topic: String) -> [SeenRecord]? {
    let partitions = Int32(cluster.spec(topic)?.partitions ?? 0)
    let all = (0..<partitions).flatMap { partition in
      cluster.history(topic, partition) + cluster.records(topic, partition, .uncommitted)
    }
    do throws(BusError) {
      try foreignBus.deleteTopics([topic])
      return all
    } catch {
      precondition(error.remedy == .retry, "a bus without faults failed: \(error)")
      return nil
    }
  }

  var topicNames: [String] { cluster.topicNames }

  func history(_ topic: String, _ partition: Int32) -> [SeenRecord] {
    cluster.history(topic, partition)
  }

  func present(_ topic: String, _ partition: Int32) -> [SeenRecord] {
    cluster.records(topic, partition, .committed)
  }
}
