import Base
import Bus
import Events

/// Reads the streams as clients do and compares each, sweep by sweep, with its view of the table.
struct StreamChecker {
  /// A stream's records of one sweep.
  private struct Run {
    let sweep: Int64
    let epoch: Int64
    let creation: Int64
    var records: [ToldRecord]
  }

  private struct Count: Equatable {
    let epoch: Int64
    let seq: Int64
    let creation: Int64
  }

  private struct Sweep {
    let number: Int64
    let positions: [Int: Int]
    let sets: Set<String>
  }

  private let world: any World
  private let topics: ClusterTopics
  private let table: TableChecker
  private let lost: LostTopics
  private let streams: [String: RequestChecker.LivingStream]
  private var sweeps: [Sweep] = []
  private var counts: [String: [Int64: Count]] = [:]
  private var runs: [String: [Run]] = [:]
  /// Records of streams that were seen.
  private(set) var published = 0
  /// Sweeps of a stream that were compared with its view.
  private(set) var compared = 0

  /// `lost`: topics that somebody deleted. What is there now begins with the whole view; what was there before is
  /// gone, and so nothing is said of it.
  init(
    _ world: any World, _ table: TableChecker, _ requests: RequestChecker, _ flushes: FlushChecker,
    _ lost: LostTopics
  ) throws(Fault) {
    self.world = world
    self.lost = lost
    topics = world.topics
    self.table = table
    streams = requests.streams
    try readProgress()
    try readStreams()
    try checkSweeps(flushes.promises)
    try checkEnd()
  }

  // MARK: Progress

  private mutating func readProgress() throws(Fault) {
    var (epoch, time) = (Int64(0), Int64(0))
    for record in world.history(topics.progress, 0) {
      guard let key = record.keyText else { throw Fault("progress@\(record.offset): no key") }
      // A stream that ended takes its record with it.
      if record.valueText == nil { continue }
      guard let value = AlertRow(record.valueText) else {
        throw Fault("progress@\(record.offset): no progress record")
      }
      // Who publishes every change has a term and sweeps of its own (`ChangeChecker`).
      if value["phase"] != nil || key == "*/\(topics.liveSeat)" { continue }
      try demand(
        value.number("epoch") >= epoch && value.number("time") >= time,
        "progress@\(record.offset): epoch or time falls")
      (epoch, time) = (value.number("epoch"), value.number("time"))
      guard key.hasPrefix("*/") else {
        let count = Count(epoch: epoch, seq: value.number("seq"), creation: value.number("creation"))
        let known = counts[key, default: [:]].updateValue(count, forKey: value.number("sweep"))
        try demand(known == nil, "progress@\(record.offset): \(key) twice in a sweep")
        continue
      }
      let number = value.number("sweep")
      try demand(number == Int64(sweeps.count + 1), "progress@\(record.offset): sweep \(number)")
      var positions: [Int: Int] = [:]
      for position in value["positions"]?.members ?? [] {
        positions[Int(position.name)!] = Int(position.value.int!)
      }
      let sets = Set((value["sets"]?.array ?? []).compactMap(\.string))
      sweeps.append(Sweep(number: number, positions: positions, sets: sets))
    }
  }

  // MARK: Streams

  private mutating func readStreams() throws(Fault) {
    for stream in streams.values.sorted(by: { $0.id < $1.id }) where stream.prefix.isEmpty {
      for record in world.history(stream.topic, 0) {
        try take(record, stream.id, record.keyText!, "\(stream.topic)@\(record.offset)")
      }
    }
    for lane in 0..<Int32(ClusterTopics.laneCount) {
      for record in world.history(topics.viewLanes, lane) {
        let parts = record.keyText!.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
          .map(String.init)
        if let known = streams[parts[0]] {
          try demand(
            known.partition == lane, "\(parts[0]) is in lane \(lane), its reply says \(known.partition)")
        }
        try take(record, parts[0], parts[1], "lanes[\(lane)]@\(record.offset)")
      }
    }
    for (id, runs) in runs.sorted(by: { $0.key < $1.key }) { try checkRuns(id, runs) }
  }

  private mutating func take(_ record: SeenRecord, _ id: String, _ key: String, _ place: String)
    throws(Fault)
  {
    published += 1
    let item = try ToldRecord(record, key: key, place)
    let sweep = item.sweep
    guard let count = counts[id]?[sweep] else {
      throw Fault("\(place): no progress of \(id) in sweep \(sweep)")
    }
    let run = runs[id]?.last
    if run?.sweep != sweep {
      try demand((run?.sweep ?? 0) < sweep, "\(place): sweep \(sweep) after \(run?.sweep ?? 0)")
      runs[id, default: []].append(
        Run(sweep: sweep, epoch: item.epoch, creation: count.creation, records: []))
    }
    runs[id]![runs[id]!.count - 1].records.append(item)
  }

  /// One that is not among those that live was in a lane.
  private func isMadeAgain(_ id: String) -> Bool { lost.contains(streams[id]?.topic ?? topics.viewLanes) }

  /// The last count of a stream, of those in a life, before a sweep.
  private func count(_ id: String, creation: Int64, before sweep: Int64) -> Count? {
    counts[id, default: [:]].filter { $0.key < sweep && $0.value.creation == creation }
      .max { $0.key < $1.key }?.value
  }

  /// Sequence counts rise by one from 1, anew only in a new life of the stream, which is of a higher epoch. In a topic
  /// that was made again they go on.
  private func checkRuns(_ id: String, _ runs: [Run]) throws(Fault) {
    let isMadeAgain = isMadeAgain(id)
    let (topic, prefix) = streams[id].map { ($0.topic, $0.prefix) } ?? (topics.viewLanes, "\(id)/")
    try lost.check(topic, prefix: prefix, first: runs[0].records[0].seq, "stream \(id)")
    var previous = isMadeAgain ? count(id, creation: runs[0].creation, before: runs[0].sweep) : nil
    for run in runs {
      let place = "stream \(id), sweep \(run.sweep)"
      let isNewLife = run.creation != previous?.creation
      if isNewLife, let previous {
        try demand(
          run.creation > previous.creation && run.epoch > previous.epoch,
          "\(place): a new life in epoch \(run.epoch) after \(previous.epoch)")
      }
      try demand(run.epoch >= previous?.epoch ?? 1, "\(place): the epoch falls")
      var seq = isNewLife ? 0 : previous!.seq
      for (index, record) in run.records.enumerated() {
        try demand(record.seq == seq + 1, "\(place): seq \(record.seq) after \(seq)")
        try demand(record.epoch == run.epoch, "\(place): two epochs")
        try demand(
          record.isLast == (index == run.records.count - 1), "\(place): belfry-last at seq \(record.seq)")
        seq = record.seq
      }
      let count = Count(epoch: run.epoch, seq: seq, creation: run.creation)
      try demand(
        counts[id]![run.sweep] == count,
        "\(place): progress is \(counts[id]![run.sweep]!), the stream \(count)")
      previous = count
    }
    let isWhole = streams[id].map { !$0.prefix.isEmpty } ?? true
    let since = isMadeAgain ? runs[0].sweep : 0
    let expected = counts[id]!.filter {
      (isWhole || $0.value.creation == previous?.creation) && $0.key >= since
    }.count
    try demand(runs.count == expected, "stream \(id): \(runs.count) sweeps, by its progress \(expected)")
  }

  // MARK: Sweeps

  /// A stream's content at a sweep of its present life.
  private struct Fold {
    let stream: RequestChecker.LivingStream
    var runs: ArraySlice<Run>
    var content: [String: AlertRow] = [:]
    var hasBegun = false
    /// What it was compared with last: nothing has changed since.
    var positions: [Int: Int] = [:]

    init(_ stream: RequestChecker.LivingStream, _ all: [Run]) {
      self.stream = stream
      let creation = all.last?.creation
      runs = all[...].drop { $0.creation != creation }
    }

    /// True where the sweep has changed it.
    mutating func advance(to sweep: Int64) -> Bool {
      guard let run = runs.first, run.sweep == sweep else { return false }
      for record in run.records { content[record.key] = record.value }
      hasBegun = true
      runs.removeFirst()
      return true
    }
  }

  private mutating func checkSweeps(_ promises: [Int64: [FlushChecker.Promise]]) throws(Fault) {
    if let missing = promises.keys.first(where: { $0 > sweeps.count }) {
      throw Fault("flush \(promises[missing]![0].id): there is no sweep \(missing)")
    }
    var folds = streams.values.sorted { $0.id < $1.id }.map { Fold($0, runs[$0.id] ?? []) }
    var rows: [String: AlertRow] = [:]
    var applied: [Int: Int] = [:]
    for sweep in sweeps {
      for (shard, position) in sweep.positions.sorted(by: { $0.key < $1.key }) {
        let from = applied[shard, default: 0]
        try demand(
          position >= from && position <= table.changes[shard].count,
          "sweep \(sweep.number) is at change \(position) of shard \(shard), after \(from)")
        for change in table.changes[shard][from..<position] { rows[change.key] = change.row }
        applied[shard] = position
      }
      for index in folds.indices {
        let isChanged = folds[index].advance(to: sweep.number)
        guard sweep.sets.contains(folds[index].stream.set), folds[index].hasBegun else { continue }
        if !isChanged && folds[index].positions == applied { continue }
        folds[index].positions = applied
        try compare(folds[index], rows, "sweep \(sweep.number)")
        compared += 1
      }
      try checkCounters(folds, sweep.number)
      for promise in promises[sweep.number] ?? [] { try keep(promise, sweep, folds, rows) }
    }
  }

  /// What a flush's answer says is so in its sweep, for all that is linked with it.
  private func keep(
    _ promise: FlushChecker.Promise, _ sweep: Sweep, _ folds: [Fold], _ rows: [String: AlertRow]
  ) throws(Fault) {
    let place = "flush \(promise.id), sweep \(sweep.number)"
    for (shard, change) in promise.changes.sorted(by: { $0.key < $1.key }) {
      try demand(
        Int64(sweep.positions[shard] ?? 0) >= change,
        "\(place): at change \(sweep.positions[shard] ?? 0) of shard \(shard), \(change) was answered before")
    }
    for id in promise.streams {
      guard let fold = folds.first(where: { $0.stream.id == id }) else { throw Fault("\(place): no \(id)") }
      try demand(sweep.sets.contains(fold.stream.set), "\(place): \(id) is linked, and not in the sweep")
      // It may have been on the topic that was deleted.
      if fold.hasBegun || !isMadeAgain(id) { try compare(fold, rows, place) }
    }
    let creations = counts[promise.stream, default: [:]].values.map(\.creation)
    let last = creations.max().flatMap { count(promise.stream, creation: $0, before: sweep.number + 1) }
    try demand(
      promise.seq == last?.seq ?? 0,
      "\(place): its seq is \(promise.seq), by the stream's progress \(last?.seq ?? 0)")
  }

  private func compare(_ fold: Fold, _ rows: [String: AlertRow], _ place: String) throws(Fault) {
    let expected = fold.stream.view.evaluate(rows)
    if fold.content == expected { return }
    let key = Set(expected.keys).union(fold.content.keys).sorted().first { expected[$0] != fold.content[$0] }!
    throw Fault(
      "stream \(fold.stream.id) (\(fold.stream.view.spellings[0])), \(place): \(key) is "
        + "\(text(fold.content[key])), expected \(text(expected[key]))")
  }

  /// A list and the counters with its filter agree.
  private func checkCounters(_ folds: [Fold], _ sweep: Int64) throws(Fault) {
    for list in folds where list.stream.view.isList && list.hasBegun {
      for counter in folds where counter.stream.set == list.stream.set && counter.hasBegun {
        guard let n = counter.content["*"]?["n"]?.int else { continue }
        try demand(
          n == Int64(list.content.count),
          "sweep \(sweep): \(counter.stream.id) counts \(n), the list \(list.stream.id) has \(list.content.count)"
        )
      }
    }
  }

  /// In the end every stream shows the table as it is, and lanes have nothing of streams that ended.
  private func checkEnd() throws(Fault) {
    for stream in streams.values.sorted(by: { $0.id < $1.id }) {
      var fold = Fold(stream, runs[stream.id] ?? [])
      for run in fold.runs { _ = fold.advance(to: run.sweep) }
      try compare(fold, table.rows, "in the end")
    }
    for lane in 0..<Int32(ClusterTopics.laneCount) {
      var left: [String: Bool] = [:]
      for record in world.present(topics.viewLanes, lane) {
        left[record.keyText!] = record.value != nil
      }
      for (key, isThere) in left.sorted(by: { $0.key < $1.key }) where isThere {
        let id = String(key.prefix { $0 != "/" })
        try demand(streams[id] != nil, "lane \(lane) still has \(key) of a stream that ended")
      }
    }
  }

  private func text(_ row: AlertRow?) -> String {
    row.map { "\($0.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" })" } ?? "gone"
  }
}
