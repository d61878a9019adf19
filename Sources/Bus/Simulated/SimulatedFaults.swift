import Base

/// What can befall a call of a `SimulatedBus`.
public enum SimulatedFault: String, Sendable, CaseIterable {
  /// The process dies before the call does anything.
  case crashBefore
  /// The process dies when the call has done its deed; of a batch that was sent, any prefix has arrived.
  case crashAfter
  /// The deed is done, the answer is lost: `.retry`, `_TIMED_OUT`.
  case lostAnswer
  /// The transaction must be aborted.
  case abortable
  /// Nothing was done, try again.
  case retriable
  /// The producer is beyond use; whether the transaction was committed is drawn.
  case recreate
  /// A part of what is sent is still on its way when the call returns. It arrives with some later call, at the
  /// latest when it is waited for. Its sender being dead, it may still arrive, until somebody fences it.
  case withheld
  /// What is sent arrives twice, as its acknowledgement was lost. The brokers know it by its sequence number.
  case repeated
  /// The producer's queue stays full for a minute: a part is sent, the rest is not.
  case fullQueue

  struct Kinds: OptionSet {
    let rawValue: Int
    static let crashes = Kinds(rawValue: 3)
    static let lostAnswer = Kinds(rawValue: 1 << 2)
    static let abortable = Kinds(rawValue: 1 << 3)
    static let retriable = Kinds(rawValue: 1 << 4)
    static let recreate = Kinds(rawValue: 1 << 5)
    /// What becomes of a batch.
    static let sending = Kinds(rawValue: 7 << 6)
  }

  var kind: Kinds {
    switch self {
    case .crashBefore: Kinds(rawValue: 1)
    case .crashAfter: Kinds(rawValue: 2)
    case .lostAnswer: .lostAnswer
    case .abortable: .abortable
    case .retriable: .retriable
    case .recreate: .recreate
    case .withheld: Kinds(rawValue: 1 << 6)
    case .repeated: Kinds(rawValue: 1 << 7)
    case .fullQueue: Kinds(rawValue: 1 << 8)
    }
  }
}

/// How likely each fault is, at every call that can meet it. Probabilities of one call must not add up to
/// more than 1.
public struct SimulatedFaults: Sendable {
  public var crashBefore = 0.0
  public var crashAfter = 0.0
  public var lostAnswer = 0.0
  public var abortable = 0.0
  public var retriable = 0.0
  public var recreate = 0.0
  public var withheld = 0.0
  public var repeated = 0.0
  public var fullQueue = 0.0
  /// An answer that takes its time: the clock moves by anything up to 15 s.
  public var slow = 0.0
  /// A poll that gives nothing though there is something.
  public var late = 0.0
  /// The group is assigned anew at a poll: the partitions are revoked (drawn: while they are still ours,
  /// or as lost) and then given again.
  public var rebalance = 0.0
  /// A consumer that was taken over hears nothing of it at this poll, and gets records as before.
  public var lateFence = 0.0
  /// A consumer fences itself at a poll, as librdkafka's does that heard nothing for a session.
  public var selfFence = 0.0
  /// Partitions that no broker leads: nothing is read of them, and nobody knows their ends.
  public var leaderless: Set<TopicPartition> = []
  /// Faults at exact call numbers of the connection (the first call is 1). One that the call cannot meet
  /// traps: the list was made for another run.
  public var scripted: [Int: SimulatedFault] = [:]

  public init() {}

  public static let none = SimulatedFaults()

  /// All kinds of trouble: a crash once in about `callsPerCrash` calls (at least 100), the others up to
  /// five times as often.
  public static func rough(callsPerCrash: Int) -> SimulatedFaults {
    let crash = 0.5 / Double(max(callsPerCrash, 100))
    var faults = SimulatedFaults()
    faults.crashBefore = crash
    faults.crashAfter = crash
    faults.lostAnswer = crash * 10
    faults.abortable = crash * 10
    faults.retriable = crash * 10
    faults.recreate = crash * 5
    faults.withheld = crash * 10
    faults.repeated = crash * 10
    faults.fullQueue = crash
    faults.slow = crash
    faults.late = 0.05
    faults.rebalance = crash
    faults.lateFence = 0.5
    faults.selfFence = crash
    return faults
  }

  func probability(of fault: SimulatedFault) -> Double {
    switch fault {
    case .crashBefore: crashBefore
    case .crashAfter: crashAfter
    case .lostAnswer: lostAnswer
    case .abortable: abortable
    case .retriable: retriable
    case .recreate: recreate
    case .withheld: withheld
    case .repeated: repeated
    case .fullQueue: fullQueue
    }
  }

  /// The first of these kinds that a fraction drawn from 0 up to 1 falls on.
  func fault(at fraction: Double, of possible: SimulatedFault.Kinds) -> SimulatedFault? {
    var left = fraction
    return SimulatedFault.allCases.first { fault in
      guard possible.contains(fault.kind) else { return false }
      left -= probability(of: fault)
      return left < 0
    }
  }

  /// Whether any of them is possible at all.
  var isAny: Bool {
    crashBefore + crashAfter + lostAnswer + abortable + retriable + recreate + withheld + repeated + fullQueue
      > 0
  }
}

extension SeededRandom {
  /// A number from 0 up to 1, the same on every machine.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// True with the given probability. Draws only where the outcome is open, so that a fault that is
  /// switched off leaves the rest of a run as it was.
  mutating func happens(_ probability: Double) -> Bool { probability > 0 && fraction() < probability }

  /// A number from 1 to `max`, of any size alike: 1 comes about as often as 5000 to 10,000 together.
  mutating func anySize(upTo max: Int) -> Int {
    precondition(max >= 1)
    let bits = Int.bitWidth - max.leadingZeroBitCount
    let ceiling = Swift.min(max, (1 << Int.random(in: 1...bits, using: &self)) - 1)
    return Int.random(in: 1...ceiling, using: &self)
  }
}
