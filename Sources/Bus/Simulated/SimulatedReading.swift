import Base

/// Positions in partitions, and the cutting of polls: how many records come, and from which partition
/// next, is drawn; within a partition the order is kept.
final class SimulatedFetcher {
  private let bus: SimulatedBus
  private let isolation: Isolation
  private(set) var positions: [TopicPartition: Int64] = [:]
  /// Where polls have met a partition's end.
  private(set) var ends: [TopicPartition: Int64] = [:]
  var paused: Set<TopicPartition> = []

  private var cluster: SimulatedCluster { bus.cluster }

  init(bus: SimulatedBus, isolation: Isolation) {
    self.bus = bus
    self.isolation = isolation
  }

  /// A partition that is not there gives nothing until it is.
  func start(_ offsets: [TopicPartition: Int64]) {
    ends = [:]
    positions.merge(offsets) { $1 }
    resolvePositions()
  }

  private func resolvePositions() {
    for (place, position) in positions {
      guard let log = try? cluster.log(place) else { continue }
      positions[place] = cluster.resolve(position, in: log, isolation)
    }
  }

  func takeEnds() -> [TopicPartition: Int64] {
    defer { ends = [:] }
    return ends
  }

  func position(_ place: TopicPartition) -> Int64 { max(positions[place] ?? 0, 0) }

  func stop() {
    positions = [:]
    ends = [:]
    paused = []
  }

  /// With nothing to give, the clock moves by the timeout, as it would have waited.
  func poll(into batch: RecordBatch, max: Int, timeout: Duration) {
    let before = batch.count
    if !cluster.isAway, !cluster.random.happens(bus.faults.late) { fill(batch, max) }
    let count = batch.count - before
    if count == 0 { cluster.clock.advance(by: Swift.max(timeout, .zero)) }
    cluster.trace.add("  gave \(count)")
  }

  private func fill(_ batch: RecordBatch, _ max: Int) {
    resolvePositions()
    var left = cluster.random.anySize(upTo: max)
    let silent = paused.union(bus.faults.leaderless)
    var sources = positions.keys.filter { !silent.contains($0) }.sorted()
    while left > 0, !sources.isEmpty, batch.byteCount < BusLimits.pollBytesMax {
      let choice = Int.random(in: sources.indices, using: &cluster.random)
      let wanted = cluster.random.anySize(upTo: left)
      let given = take(wanted, sources[choice], batch)
      left -= given
      if given < wanted { sources.remove(at: choice) }
    }
  }

  private func take(_ wanted: Int, _ place: TopicPartition, _ batch: RecordBatch) -> Int {
    guard let log = try? cluster.log(place) else { return 0 }
    var given = 0
    positions[place] = log.read(from: positions[place]!, isolation) { record in
      record.copy(to: batch, place)
      given += 1
      return given < wanted && batch.byteCount < BusLimits.pollBytesMax
    }
    if given < wanted, batch.byteCount < BusLimits.pollBytesMax { ends[place] = positions[place]! }
    if given > 0 { cluster.trace.add("  \(given) of \(place) up to \(positions[place]!)") }
    return given
  }
}

final class SimulatedReader: Reader {
  private let bus: SimulatedBus
  private let fetcher: SimulatedFetcher
  /// The broker holds back what comes so soon after all that there was has been given.
  private let gather: Duration
  private var heldUntil = Duration.zero
  private var isClosed = false

  init(bus: SimulatedBus, fetcher: SimulatedFetcher, gather: Duration) {
    self.bus = bus
    self.fetcher = fetcher
    self.gather = gather
  }

  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError) {
    if isClosed { throw .closed }
    try bus.call("read", [.retriable]) { _ in
      let clock = bus.cluster.clock
      let wait = heldUntil - clock.elapsed()
      if wait > .zero { return clock.advance(by: Swift.max(.zero, min(wait, timeout))) }
      let before = batch.count
      fetcher.poll(into: batch, max: max, timeout: timeout)
      let isAll = fetcher.ends.count == fetcher.positions.count
      _ = fetcher.takeEnds()
      if batch.count > before, isAll { heldUntil = clock.elapsed() + gather }
    }
  }

  func position(_ partition: TopicPartition) -> Int64 { fetcher.position(partition) }

  func close() { isClosed = true }
}
