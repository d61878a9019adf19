import Base

/// A transactional id at the brokers.
struct SimulatedSeat {
  /// Rises when the seat is taken: calls of an older epoch are fenced.
  var epoch = 0
  /// The producer id of this epoch, by which partitions know its sequence numbers.
  var producer = 0
  var open: SimulatedTransaction?
}

struct SimulatedTransaction {
  let number: Int
  let since: Duration
  var partitions: Set<TopicPartition> = []
  /// By group: positions that count when the transaction is committed.
  var offsets: [String: [TopicPartition: Int64]] = [:]
}

extension SimulatedCluster {
  /// `init_transactions`: ends what the former holder left open, and fences it.
  func takeSeat(_ id: String) -> Int {
    end(id, committed: false)
    seats[id, default: SimulatedSeat()].epoch += 1
    seats[id]!.producer = nextProducer()
    return seats[id]!.epoch
  }

  func nextProducer() -> Int {
    producersMade += 1
    return producersMade
  }

  func checkSeat(_ id: String, _ epoch: Int) throws(BusError) {
    guard seats[id]?.epoch == epoch || fencesDown.contains(.producers) else {
      throw BusError(.fenced, code: "_FENCED", "\(id): somebody else has taken the seat")
    }
  }

  /// The open transaction of a seat, begun where there is none: as in Kafka, by the first thing in it.
  private func join(_ id: String, _ epoch: Int) throws(BusError) -> SimulatedTransaction {
    try checkSeat(id, epoch)
    if let open = seats[id]!.open { return open }
    transactionsBegun += 1
    return SimulatedTransaction(number: transactionsBegun, since: clock.elapsed())
  }

  func write(_ records: ArraySlice<SimulatedArrival>, seat id: String, _ epoch: Int) throws(BusError) {
    if records.isEmpty { return }
    var transaction = try join(id, epoch)
    for arrival in records {
      write(
        arrival.record, to: arrival.place, transaction: transaction.number, producer: seats[id]!.producer,
        sequence: arrival.sequence)
      transaction.partitions.insert(arrival.place)
    }
    seats[id]!.open = transaction
  }

  func addOffsets(
    _ positions: [TopicPartition: Int64], group: SimulatedGroupMetadata, seat id: String, _ epoch: Int
  ) throws(BusError) {
    var transaction = try join(id, epoch)
    try checkGeneration(group)
    transaction.offsets[group.group, default: [:]].merge(positions) { $1 }
    seats[id]!.open = transaction
  }

  /// Writes the markers of a seat's open transaction, and on commit its positions. Without one: nothing.
  func end(_ id: String, committed: Bool) {
    guard let transaction = seats[id]?.open else { return }
    seats[id]!.open = nil
    for place in transaction.partitions {
      topics[place.topic]?.end(transaction.number, at: place.partition, committed: committed)
    }
    guard committed else { return }
    for (group, positions) in transaction.offsets {
      groups[group, default: SimulatedGroup()].committed.merge(positions) { $1 }
    }
  }

  /// A partition that is no more and that an open transaction touches, or what is still on its way there.
  func deletedPartition(_ id: String) -> TopicPartition? {
    guard let seat = seats[id] else { return nil }
    let waiting = network.filter { $0.producer == seat.producer }.flatMap { $0.arrivals.map(\.place) }
    return (waiting + (seat.open?.partitions.sorted() ?? [])).first { topics[$0.topic] == nil }
  }

  /// Aborts the transactions that have been open for too long, and fences their producers.
  func expireTransactions() {
    let now = clock.elapsed()
    var old: [String] = []
    for (id, seat) in seats {
      if let open = seat.open, now - open.since > transactionTimeout { old.append(id) }
    }
    for id in old.sorted() {
      trace.add("transaction timeout: \(id)")
      _ = takeSeat(id)
    }
  }
}

extension SimulatedTopic {
  fileprivate func end(_ transaction: Int, at partition: Int32, committed: Bool) {
    guard logs.indices.contains(Int(partition)) else { return }  // made anew with fewer
    logs[Int(partition)].end(transaction: transaction, committed: committed)
  }
}
