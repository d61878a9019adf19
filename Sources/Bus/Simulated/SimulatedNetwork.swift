import Base

/// A record on its way to a partition. Sequence numbers rise by producer and partition.
struct SimulatedArrival {
  let place: TopicPartition
  let record: SimulatedRecord
  let sequence: Int
}

/// What a producer has sent and the brokers have not got yet.
struct SimulatedRequest {
  /// The seat and its epoch; nil: outside any transaction.
  let seat: (id: String, epoch: Int)?
  let producer: Int
  let arrivals: [SimulatedArrival]
}

extension SimulatedCluster {
  /// What goes on at the brokers from call to call: time-outs, and what was on its way arrives.
  func goOn() {
    expireTransactions()
    expireMembers()
    if !network.isEmpty, !isAway, random.happens(0.3), canArrive(network[0]) {
      deliver(network.removeFirst())
    }
  }

  /// All of one producer's that is on its way arrives, in its order. What is for a topic that is no more waits.
  func deliverAll(of producer: Int) {
    for request in network where request.producer == producer && canArrive(request) { deliver(request) }
    network.removeAll { $0.producer == producer && canArrive($0) }
  }

  private func canArrive(_ request: SimulatedRequest) -> Bool {
    request.arrivals.allSatisfy { topics[$0.place.topic] != nil }
  }

  /// A fenced producer's records are refused.
  private func deliver(_ request: SimulatedRequest) {
    guard let seat = request.seat else {
      for arrival in request.arrivals {
        write(
          arrival.record, to: arrival.place, transaction: 0, producer: request.producer,
          sequence: arrival.sequence)
      }
      return
    }
    do throws(BusError) {
      try write(request.arrivals[...], seat: seat.id, seat.epoch)
      trace.add("  \(request.arrivals.count) records of \(seat.id) arrive late")
    } catch {
      trace.add("  \(request.arrivals.count) records of \(seat.id) are refused: \(error)")
    }
  }
}
