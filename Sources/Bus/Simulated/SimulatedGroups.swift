import Base

/// A consumer group at the brokers. In this form it has one member at a time.
struct SimulatedGroup {
  var committed: [TopicPartition: Int64] = [:]
  var instanceID: String?
  /// Rises with each join under the instance id: an older holder is fenced.
  var holder = 0
  /// Rises with each assignment: positions of an older one are not taken.
  var generation = 0
}

final class SimulatedGroupMetadata: GroupMetadata {
  let group: String
  let holder: Int
  let generation: Int

  init(group: String, holder: Int, generation: Int) {
    self.group = group
    self.holder = holder
    self.generation = generation
  }
}

extension SimulatedCluster {
  /// Joins under the instance id, and takes over from who held it before.
  func join(_ name: String, instanceID: String) -> Int {
    var group = groups[name] ?? SimulatedGroup()
    precondition(
      group.instanceID == nil || group.instanceID == instanceID,
      "group \(name) has the member \(group.instanceID!); a simulated group has one member at a time")
    group.instanceID = instanceID
    group.holder += 1
    group.generation += 1
    groups[name] = group
    return group.holder
  }

  func checkHolder(_ name: String, _ holder: Int) throws(BusError) {
    guard groups[name]?.holder == holder else {
      throw BusError(.fenced, code: "FENCED_INSTANCE_ID", "group \(name): the instance id was taken over")
    }
  }

  /// As librdkafka has it, a stale member's positions do not fence the producer itself: its transaction
  /// can still be aborted.
  func checkGeneration(_ metadata: SimulatedGroupMetadata) throws(BusError) {
    let group = groups[metadata.group] ?? SimulatedGroup()
    guard group.holder == metadata.holder else {
      throw BusError(.fenced, code: "FENCED_INSTANCE_ID", "group \(metadata.group): taken over")
    }
    guard group.generation == metadata.generation else {
      throw BusError(.abort, code: "ILLEGAL_GENERATION", "group \(metadata.group): assigned anew since")
    }
  }

  /// Whether an open transaction is about to move one of these positions.
  func isUnstable(_ group: String, _ partitions: [TopicPartition]) -> Bool {
    seats.values.contains { seat in
      guard let pending = seat.open?.offsets[group] else { return false }
      return partitions.contains { pending[$0] != nil }
    }
  }
}
