import Base

/// A seat's producer, as librdkafka has it: what it was told fails later calls too, until the transaction
/// is aborted or the producer is made anew.
final class SimulatedTransactionalProducer: TransactionalProducer {
  private enum State {
    case made
    case ready
    case open
    /// Something in the transaction failed: only an abort helps.
    case failed(BusError)
    /// `commit` was called and is not answered: there is no way back.
    case committing
    case aborting
    /// Fenced or broken: every call throws this.
    case fatal(BusError)
    case closed
  }

  private let bus: SimulatedBus
  private let id: String
  private var state = State.made
  private var epoch = 0
  private var sender: SimulatedSender
  /// Whether the brokers know of the transaction, or will. They never hear of an empty one.
  private var touched = false

  private var cluster: SimulatedCluster { bus.cluster }

  init(bus: SimulatedBus, id: String) {
    self.bus = bus
    self.id = id
    sender = SimulatedSender(bus, producer: 0)
  }

  func initialise() throws(BusError) {
    try check()
    guard case .made = state else { throw cluster.misused("\(id): initialise twice") }
    epoch = try bus.call("initialise \(id)", [.retriable, .lostAnswer], asks: true) { _ in
      cluster.takeSeat(id)
    }
    sender = SimulatedSender(bus, producer: cluster.seats[id]!.producer)
    state = .ready
  }

  func begin() throws(BusError) {
    try check()
    guard case .ready = state else { throw cluster.misused("\(id): begin in state \(state)") }
    try bus.call("begin \(id)", []) { _ in
      touched = false
      state = .open
    }
  }

  func send(_ batch: RecordBatch) throws(BusError) {
    try checkOpen("send")
    try bus.call("send \(id) \(batch.count)", [.abortable, .sending]) { fault throws(BusError) in
      try orFail { () throws(BusError) in
        if fault == .abortable { throw Self.abortable }
        touched = true
        try sender.send(batch, fault, seat: (id, epoch))
      }
    }
  }

  func sendOffsets(_ positions: [TopicPartition: Int64], group: any GroupMetadata) throws(BusError) {
    try checkOpen("sendOffsets")
    let group = group as! SimulatedGroupMetadata
    try bus.call("sendOffsets \(id) \(text(positions))", [.abortable, .retriable], asks: true) {
      fault throws(BusError) in
      try orFail { () throws(BusError) in
        if fault == .abortable { throw Self.abortable }
        try cluster.addOffsets(positions, group: group, seat: id, epoch)
      }
      touched = true
    }
  }

  func flush(timeout: Duration) throws(BusError) {
    try checkOpen("flush")
    try bus.call("flush \(id)", [.abortable], asks: true) { fault throws(BusError) in
      try orFail { () throws(BusError) in
        if fault == .abortable { throw Self.abortable }
        if touched { try cluster.checkSeat(id, epoch) }
      }
      sender.flush()
      guard let deleted = cluster.deletedPartition(id) else { return }
      cluster.clock.advance(by: timeout)
      throw BusError(.retry, code: "_TIMED_OUT", "\(id): \(deleted) does not acknowledge")
    }
  }

  func commit() throws(BusError) {
    try check()
    switch state {
    case .open, .committing: break
    case .failed(let error): throw error
    default: throw cluster.misused("\(id): commit in state \(state)")
    }
    state = .committing
    try bus.call("commit \(id)", [.lostAnswer, .abortable, .retriable, .recreate], asks: true) {
      fault throws(BusError) in
      try orFail { () throws(BusError) in try commit(fault) }
    }
    state = .ready
  }

  private func commit(_ fault: SimulatedFault?) throws(BusError) {
    guard touched else { return }
    try cluster.checkSeat(id, epoch)
    sender.flush()
    // Once it is committed there is nothing left to abort: a second call only hears so.
    let isOpen = cluster.seats[id]?.open != nil
    if isOpen, fault == .abortable { throw Self.abortable }
    if isOpen, let deleted = cluster.deletedPartition(id) {
      cluster.clock.advance(by: SimulatedCluster.deletedTopicTimeout)
      throw breakDown("\(deleted) was deleted under the transaction")
    }
    if fault == .recreate { throw breakDown("simulated: the outcome is not known") }
    cluster.end(id, committed: true)
  }

  /// The producer is lost; the transaction is committed, or open until the seat is taken.
  private func breakDown(_ why: String) -> BusError {
    if Bool.random(using: &cluster.random) { cluster.end(id, committed: true) }
    return BusError(.recreate, code: "_FATAL", "\(id): \(why)")
  }

  func abort() throws(BusError) {
    try check()
    switch state {
    case .open, .failed, .aborting: break
    case .committing: throw BusError(.recreate, code: "_CONFLICT", "\(id): abort after commit")
    default: throw cluster.misused("\(id): abort in state \(state)")
    }
    state = .aborting
    try bus.call("abort \(id)", [.lostAnswer, .retriable], asks: true) { _ throws(BusError) in
      guard touched else { return }
      try orFail { () throws(BusError) in try cluster.checkSeat(id, epoch) }
      sender.purge()
      cluster.end(id, committed: false)
    }
    state = .ready
  }

  func close() { state = .closed }

  /// Runs what the brokers are asked; what they refuse, the producer remembers.
  private func orFail(_ body: () throws(BusError) -> Void) throws(BusError) {
    do {
      try body()
    } catch {
      switch error.remedy {
      case .fenced where error.code == "FENCED_INSTANCE_ID", .abort: state = .failed(error)
      case .fenced, .recreate: state = .fatal(error)
      case .retry:
        // A record that cannot be delivered fails the transaction that it is in.
        let failure = BusError(.abort, code: error.code, error.message)
        state = .failed(failure)
        throw failure
      default: break
      }
      throw error
    }
  }

  private func check() throws(BusError) {
    try bus.checkAlive()
    switch state {
    case .fatal(let error): throw error
    case .closed: throw .closed
    default: return
    }
  }

  private func checkOpen(_ what: String) throws(BusError) {
    try check()
    switch state {
    case .open: return
    case .failed(let error): throw error
    default: throw cluster.misused("\(id): \(what) in state \(state)")
    }
  }

  private func text(_ positions: [TopicPartition: Int64]) -> String {
    positions.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
  }

  private static let abortable = BusError(.abort, code: "_ABORTABLE", "simulated: abort the transaction")
}

final class SimulatedPlainProducer: PlainProducer, @unchecked Sendable {
  // Unchecked: one thread at a time, see SimulatedCluster.
  private let bus: SimulatedBus
  private let sender: SimulatedSender
  private var isClosed = false

  init(bus: SimulatedBus) {
    self.bus = bus
    sender = SimulatedSender(bus, producer: bus.cluster.nextProducer())
  }

  /// What is sent arrives at once, or when it is waited for.
  func send(_ batch: RecordBatch) throws(BusError) {
    if isClosed { throw .closed }
    try bus.call("send \(batch.count)", [.retriable, .sending]) { fault throws(BusError) in
      try sender.send(batch, fault, seat: nil)
    }
  }

  func flush(timeout: Duration) throws(BusError) {
    if isClosed { throw .closed }
    try bus.call("flush", [.lostAnswer], asks: true) { _ in sender.flush() }
  }

  func close() { isClosed = true }
}

/// The way of a producer's records to the brokers.
final class SimulatedSender {
  private let bus: SimulatedBus
  private let producer: Int
  private var sequences: [TopicPartition: Int] = [:]

  /// librdkafka's patience with a full queue, as `RecordSender` has it.
  private static let fullQueueTimeout = Duration.seconds(60)

  private var cluster: SimulatedCluster { bus.cluster }

  init(_ bus: SimulatedBus, producer: Int) {
    self.bus = bus
    self.producer = producer
  }

  /// All arrives now, or (drawn) a part now and the rest later, or not at all, where the process dies as it
  /// sends, or its queue is full. While the brokers are away all of it waits.
  func send(_ batch: RecordBatch, _ fault: SimulatedFault?, seat: (id: String, epoch: Int)?) throws(BusError)
  {
    let all = try arrivals(batch)
    var (now, sent) = (all.count, all.count)
    switch fault {
    case .withheld: now = part(of: all.count)
    case .fullQueue: (now, sent) = (0, part(of: all.count))
    case .crashAfter:
      now = part(of: all.count)
      sent = Int.random(in: now...all.count, using: &cluster.random)
    default: break
    }
    if cluster.isAway { now = 0 }
    if now > 0 { flush() }
    for _ in 0..<(fault == .repeated ? 2 : 1) { try write(all[..<now], seat) }
    if now < sent {
      cluster.network.append(
        SimulatedRequest(seat: seat, producer: producer, arrivals: Array(all[now..<sent])))
    }
    if fault == .fullQueue {
      cluster.clock.advance(by: Self.fullQueueTimeout)
      throw BusError(.retry, code: "_QUEUE_FULL", "simulated: the queue is full")
    }
  }

  private func part(of count: Int) -> Int { Int.random(in: 0...count, using: &cluster.random) }

  private func arrivals(_ batch: RecordBatch) throws(BusError) -> [SimulatedArrival] {
    var all: [SimulatedArrival] = []
    all.reserveCapacity(batch.count)
    for entry in batch.records {
      let record = SimulatedRecord(copyOf: entry, in: batch)
      let place = try cluster.place(of: record, batch.topic(entry), entry.partition)
      let sequence = sequences[place, default: 0]
      sequences[place] = sequence + 1
      all.append(SimulatedArrival(place: place, record: record, sequence: sequence))
    }
    return all
  }

  private func write(_ some: ArraySlice<SimulatedArrival>, _ seat: (id: String, epoch: Int)?) throws(BusError)
  {
    if let seat { return try cluster.write(some, seat: seat.id, seat.epoch) }
    for arrival in some {
      cluster.write(
        arrival.record, to: arrival.place, transaction: 0, producer: producer, sequence: arrival.sequence)
    }
  }

  /// What is on its way arrives.
  func flush() { if !cluster.network.isEmpty { cluster.deliverAll(of: producer) } }

  /// What is on its way is lost.
  func purge() { cluster.network.removeAll { $0.producer == producer } }
}
