import Base

/// A consumer group at the brokers: static members under their instance ids, librdkafka's `range` assignor.
///
/// Who joins under a new instance id, and who is lost sight of, makes the group assign anew: each member lets
/// go of its partitions at its next poll, and when all have, they are given in a new generation. Who joins
/// under the id of a member takes over what that one had, without a word to the others.
struct SimulatedGroup {
  struct Member {
    /// Rises with each join under the instance id: an older holder is fenced.
    let holder: Int
    let topics: [String]
    /// Its heartbeats come from here.
    weak var consumer: SimulatedConsumer?
    var heard: Duration
    /// It has let go of its partitions, where the group is being assigned anew.
    var hasJoined: Bool
  }

  var committed: [TopicPartition: Int64] = [:]
  /// By instance id.
  var members: [String: Member] = [:]
  var holdersMade = 0
  /// Rises with each assignment: positions of an older one are not taken.
  var generation = 0
  private(set) var isRebalancing = false

  mutating func rebalance() {
    isRebalancing = true
    for id in members.keys { members[id]!.hasJoined = false }
  }

  /// When all members have let go they are assigned anew.
  mutating func endRebalance() {
    guard isRebalancing, members.values.allSatisfy(\.hasJoined) else { return }
    isRebalancing = false
    generation += 1
  }
}

final class SimulatedGroupMetadata: GroupMetadata {
  let group: String
  /// Empty in a group without members.
  let instanceID: String
  let holder: Int
  let generation: Int

  init(group: String, instanceID: String = "", holder: Int = 0, generation: Int = 0) {
    self.group = group
    self.instanceID = instanceID
    self.holder = holder
    self.generation = generation
  }
}

extension SimulatedCluster {
  /// Joins under the instance id, and takes over from who held it before. Returns the new holder's number.
  func join(_ name: String, _ consumer: SimulatedConsumer) -> Int {
    var group = groups[name] ?? SimulatedGroup()
    let id = consumer.instanceID
    let isNew = group.members[id] == nil
    group.holdersMade += 1
    if isNew { group.rebalance() }
    group.members[id] = SimulatedGroup.Member(
      holder: group.holdersMade, topics: consumer.topics.sorted(), consumer: consumer,
      heard: clock.elapsed(), hasJoined: true)
    group.endRebalance()
    groups[name] = group
    return group.holdersMade
  }

  /// False where the group has lost sight of this member, which may join again.
  func holds(_ name: String, _ id: String, _ holder: Int) throws(BusError) -> Bool {
    guard let member = groups[name]?.members[id] else { return false }
    guard member.holder == holder || fencesDown.contains(.members) else { throw Self.takenOver(name, id) }
    return true
  }

  private static func takenOver(_ group: String, _ id: String) -> BusError {
    BusError(.fenced, code: "FENCED_INSTANCE_ID", "group \(group): \(id) was taken over")
  }

  /// As librdkafka has it, a stale member's positions do not fence the producer itself: its transaction
  /// can still be aborted.
  func checkGeneration(_ metadata: SimulatedGroupMetadata) throws(BusError) {
    if fencesDown.contains(.members) { return }
    let group = groups[metadata.group] ?? SimulatedGroup()
    if metadata.instanceID.isEmpty, group.members.isEmpty { return }
    guard let member = group.members[metadata.instanceID] else {
      throw BusError(.abort, code: "UNKNOWN_MEMBER_ID", "group \(metadata.group): lost sight of the member")
    }
    guard member.holder == metadata.holder else {
      throw Self.takenOver(metadata.group, metadata.instanceID)
    }
    guard group.generation == metadata.generation else {
      throw BusError(.abort, code: "ILLEGAL_GENERATION", "group \(metadata.group): assigned anew since")
    }
  }

  /// What the members agree on: of each topic, sorted, runs of partitions in the order of instance ids, the
  /// longer ones first.
  func assignment(_ name: String, _ id: String) -> [TopicPartition] {
    let members = groups[name]!.members
    return members[id]!.topics.flatMap { topic -> [TopicPartition] in
      let ids = members.filter { $0.value.topics.contains(topic) }.keys.sorted()
      let (share, rest) = (topics[topic]?.spec.partitions ?? 0).quotientAndRemainder(dividingBy: ids.count)
      let place = ids.firstIndex(of: id)!
      let first = place * share + min(place, rest)
      return (first..<first + share + (place < rest ? 1 : 0)).map { TopicPartition(topic, Int32($0)) }
    }.filter { !partitionsElsewhere.contains($0.partition) }
  }

  /// Whether an open transaction is about to move one of these positions.
  func isUnstable(_ group: String, _ partitions: [TopicPartition]) -> Bool {
    seats.values.contains { seat in
      guard let pending = seat.open?.offsets[group] else { return false }
      return partitions.contains { pending[$0] != nil }
    }
  }

  /// Members whose processes are dead or stand still are lost sight of when their session is over. (The
  /// others' heartbeats go on whatever their threads do.)
  func expireMembers() {
    let now = clock.elapsed()
    var silent: [(group: String, id: String)] = []
    for (name, group) in groups {
      for (id, member) in group.members {
        if member.consumer?.isHeard ?? false {
          groups[name]!.members[id]!.heard = now
        } else if now - member.heard > BusLimits.session {
          silent.append((name, id))
        }
      }
    }
    for (name, id) in silent.sorted(by: <) {
      trace.add("session ends: \(name) \(id)")
      drop(name, id)
    }
  }

  /// The group loses sight of a member.
  func drop(_ name: String, _ id: String) {
    groups[name]!.members[id] = nil
    groups[name]!.rebalance()
    groups[name]!.endRebalance()
  }
}
