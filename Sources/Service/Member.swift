import Base
import Bus
import Notifier
import Synchronization
import Table

/// Runs a member on real threads: one for the table, one for the publisher, which is the supervisor's too, one for
/// the streams of every change. What fails is made anew after a pause that grows: a publisher alone, or all where it
/// is the table.
public final class Member: Sendable {
  private struct State {
    var letters: Mailbox<TableLetter>?
    var isStopping = false
    var failure: BusError?
  }

  private let settings: MemberSettings
  private let bus: any Bus
  private let clock: any Clock
  public let readiness: Readiness
  /// What queries may name besides the table.
  public let definitions = SharedDefinitions()
  private let largeCommands = LargeCommands()
  private let log: Log
  private let metrics: Metrics
  private let restarts: Base.Metric
  private let publisherRestarts: Base.Metric
  private let changeRestarts: Base.Metric
  private let state = Mutex(State())
  private let stopSignal = Signal()
  private let supervisor = Mutex<JoinedThread?>(nil)

  private static let pauseMin = Duration.milliseconds(200)
  private static let pauseMax = Duration.seconds(10)
  /// What lived so long failed by accident: pauses begin with the shortest again.
  private static let goodLife = Duration.seconds(60)
  /// As they are named in the readiness.
  private static let roles = ["table", "publisher", "changes"]
  /// How long a member under another id is waited for: a dead one's session is over by then.
  public static let othersWithin = BusLimits.session + .seconds(5)
  /// The longest wait of a role's turn: how late it sees a letter or a stop.
  private static let turnWait = Duration.milliseconds(20)

  public init(_ settings: MemberSettings, bus: any Bus, clock: any Clock, log: Log, metrics: Metrics) {
    self.settings = settings
    self.bus = bus
    self.clock = clock
    readiness = Readiness(clock: clock) { hanging in
      // What was said before it hung is no reason.
      bus.complaint().flatMap { $0.ago <= hanging + Readiness.turnLimit ? $0.words : nil }
    }
    self.log = log.named("member")
    self.metrics = metrics
    restarts = metrics.counter("belfry_member_restarts_total", "Times that a member's roles were made anew")
    publisherRestarts = metrics.counter(
      "belfry_publisher_restarts_total", "Times that the publisher alone was made anew")
    changeRestarts = metrics.counter(
      "belfry_live_restarts_total", "Times that the publisher of every change alone was made anew")
    readiness.set("member", "not started")
  }

  /// Starts the threads, and returns at once. What no retry can mend (a topic with the wrong number of
  /// partitions, a seat that another process has) ends the member and is its `failure`.
  public func start() {
    readiness.set("bus", "the topics are not checked yet")
    for role in Self.roles { readiness.set(role, "not started") }
    readiness.set("member", nil)
    supervisor.withLock { $0 = JoinedThread { [self] in supervise() } }
  }

  /// Ends cleanly: what is open is committed. Returns when the threads have ended.
  public func stop() {
    state.withLock { $0.isStopping = true }
    stopSignal.raise()
    supervisor.withLock { $0?.join() }
  }

  /// Why the member ended by itself; nil while it runs or was stopped.
  public var failure: BusError? { state.withLock { $0.failure } }

  /// Asks the table; false when it does not serve now.
  public func ask(_ letter: TableLetter) -> Bool {
    state.withLock { $0.letters }?.send(letter) ?? false
  }

  private var isStopping: Bool { state.withLock { $0.isStopping } }

  // MARK: Supervision

  private func supervise() {
    var backoff = Backoff(first: Self.pauseMin, limit: Self.pauseMax)
    while !isStopping {
      let started = clock.elapsed()
      let end = live()
      if isStopping { break }
      guard let end else { continue }
      if MemberLife.isFinal(end) {
        log.error("the member ends", ("code", end.code), ("error", end.message))
        readiness.set("member", end.description)
        state.withLock { $0.failure = end }
        return
      }
      restarts.add()
      // Why, once: what befell the topics the bus has told already.
      let isTold = readiness.list.contains("bus: \(end)")
      for role in Self.roles { readiness.set(role, "to be made anew") }
      if !isTold { readiness.set(Self.roles[0], "to be made anew: \(end)") }
      pause("roles are made anew", after: end, started, &backoff) { false }
    }
  }

  /// Before something is made anew that lived since `started`. Ends early where that is of no use any more.
  private func pause(
    _ what: String, after error: BusError, _ started: Duration, _ backoff: inout Backoff,
    unless isOver: () -> Bool
  ) {
    if clock.elapsed() - started > Self.goodLife { backoff.reset() }
    let pause = backoff.take()
    log.warning(what, ("code", error.code), ("error", error.message), ("after", "\(pause)"))
    rest(pause, unless: isOver)
  }

  /// Waits, but not past a stop.
  private func rest(_ duration: Duration, unless isOver: () -> Bool) {
    let end = clock.elapsed() + duration
    while clock.elapsed() < end, !isStopping, !isOver() {
      stopSignal.wait(atMost: min(Self.pauseMin, end - clock.elapsed()))
    }
  }

  /// One life of the table, with as many of the publisher's as it takes; returns the error that ended it.
  private func live() -> BusError? {
    if let error = prepare() { return error }
    if isStopping { return nil }
    warnOfTopics()
    let life = MemberLife(
      settings, bus: bus, clock: clock, readiness: readiness, definitions: definitions,
      largeCommands: largeCommands, log: log, metrics: metrics,
      pause: { [self] in rest($0) { false } })
    state.withLock { $0.letters = life.letters }
    defer { state.withLock { $0.letters = nil } }
    let outcome = Outcome()
    let roles = Roles(life)
    let table = JoinedThread { [self] in
      let error = run("table", outcome, roles.life.worker.turn)
      outcome.end(with: error)
      if error == nil, isStopping { finish(roles.life.worker) }
      roles.life.worker.close()
    }
    let changes = JoinedThread { [self] in
      let life = roles.life
      let error = publish("changes", outcome, changeRestarts, "the publisher of every change") {
        wait throws(BusError) in
        try life.changes.turn(wait: wait)
      } anew: {
        life.resetChanges(after: $0)
      }
      outcome.end(with: error)
      roles.life.changes.close()
    }
    if table != nil, changes != nil {
      let error = publish("publisher", outcome, publisherRestarts, "the publisher") {
        wait throws(BusError) in
        try life.publisher.turn(wait: wait)
      } anew: {
        life.remakePublisher(after: $0)
      }
      outcome.end(with: error)
    } else {
      outcome.end(with: BusError(.recreate, code: "THREAD", "the machine has no more threads to give"))
    }
    life.publisher.close()
    changes?.join()
    table?.join()
    return outcome.error
  }

  /// Before anything lives: the topics are there, and no other member is. Returns why that cannot be; nil, too, where
  /// the member stops.
  private func prepare() -> BusError? {
    var backoff = Backoff(first: Self.pauseMin, limit: Self.pauseMax)
    while !isStopping {
      do throws(BusError) {
        try bus.ensureTopics(settings.preparedSpecs)
        try waitForOthers()
        readiness.set("bus", nil)
        return nil
      } catch {
        readiness.set("bus", error.description)
        guard error.remedy == .retry else { return error }
        let pause = backoff.take()
        log.warning("tried again", ("code", error.code), ("error", error.message), ("after", "\(pause)"))
        rest(pause) { false }
      }
    }
    return nil
  }

  public static let notAlone = "MEMBER"

  /// A cluster has one member. A second would take a part of the shards, and nobody would have all: so none
  /// joins while one under another id is in the group. One that died is there until its session is over.
  private func waitForOthers() throws(BusError) {
    let own = settings.topics.tableSeat(settings.memberID)
    let deadline = clock.elapsed() + Self.othersWithin
    var isTold = false
    while !isStopping {
      let seats = try bus.members(ofGroup: settings.topics.tableGroup)
      guard let other = seats.first(where: { $0 != own }) else { return }
      let name = "member \(other.dropFirst(settings.topics.tableSeat("").count))"
      if clock.elapsed() > deadline {
        throw BusError(.refuse, code: Self.notAlone, "\(name) serves this cluster already")
      }
      let waits = "\(name) has its place in the group: if it lives on, this one ends"
      readiness.set("bus", waits)
      if !isTold { log.warning(waits, ("within", "\(Self.othersWithin)")) }
      isTold = true
      rest(.seconds(1)) { false }
    }
  }

  /// A topic that was there may have been made otherwise than it should be. We change nothing of it.
  private func warnOfTopics() {
    do throws(BusError) {
      for fault in try bus.topicFaults(settings.topicSpecs) { log.warning(fault) }
    } catch {
      log.info("topics' properties not checked", ("code", error.code), ("error", error.message))
    }
  }

  /// Turns a publisher and makes it anew when it fails, while the table serves on. `anew` gives false where the table
  /// must be made anew with it.
  private func publish(
    _ role: String, _ outcome: Outcome, _ restarts: Base.Metric, _ words: String,
    turn: (Duration) throws(BusError) -> Void, anew: (BusError) -> Bool
  ) -> BusError? {
    var backoff = Backoff(first: Self.pauseMin, limit: Self.pauseMax)
    while true {
      let started = clock.elapsed()
      guard let error = run(role, outcome, turn) else { return nil }
      if MemberLife.isFinal(error) || isStopping || outcome.isEnded { return error }
      guard anew(error) else { return error }
      restarts.add()
      readiness.set(role, error.description)
      // Another process may have the seat: the table's group knows, and then this member ends.
      if error.remedy == .fenced { rest(Leader.Settings.fenceWait) { outcome.isEnded } }
      if outcome.isEnded { return error }
      pause("\(words) is made anew", after: error, started, &backoff) { outcome.isEnded }
    }
  }

  /// What is open is committed; what cannot be is done again by the next life.
  private func finish(_ worker: TableWorker) {
    do throws(BusError) {
      try worker.finish()
    } catch {
      log.warning("the last transaction was not committed", ("code", error.code), ("error", error.message))
    }
  }

  /// Turns a role until it fails, or the other one did, or the member stops.
  private func run(_ part: String, _ outcome: Outcome, _ turn: (Duration) throws(BusError) -> Void)
    -> BusError?
  {
    repeat {
      do throws(BusError) {
        try turn(Self.turnWait)
      } catch  where error.remedy == .retry {
        readiness.failed(part, error.description)
        log.warning("tried again", ("code", error.code), ("error", error.message))
        stopSignal.wait(atMost: Self.pauseMin)
      } catch {
        return error
      }
    } while !isStopping && !outcome.isEnded
    return nil
  }
}

/// Both roles' threads see this: when one ends, so does the other.
private final class Outcome: Sendable {
  private let state = Mutex<(ended: Bool, error: BusError?)>((false, nil))

  func end(with error: BusError?) {
    state.withLock { $0 = (true, $0.error ?? error) }
  }

  var isEnded: Bool { state.withLock { $0.ended } }
  var error: BusError? { state.withLock { $0.error } }
}

/// Hands each role to its own thread.
private final class Roles: @unchecked Sendable {
  // @unchecked: the worker is used by the table's thread only, the publisher by the supervisor's, that of every
  // change by its own.
  let life: MemberLife
  init(_ life: MemberLife) { self.life = life }
}
