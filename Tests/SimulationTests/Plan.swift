import Base
import Bus

/// What can befall the processes of one run, and how often: some runs meet everything, some one kind of trouble
/// often, some none.
struct Plan {
  /// What happens to a process as a whole, or to the brokers.
  enum Disturbance {
    case none
    /// A process stands still (SIGSTOP, a virtual machine that is moved), and some time later goes on.
    case standstill
    case waking
    /// Another process of the same member begins.
    case twin
    /// A process of another member begins.
    case stranger
    /// kill -9.
    case death
    /// The brokers are away.
    case absence
  }

  private let faults: SimulatedFaults
  private let disturbances: [Disturbance]
  /// How many turns in a thousand stand still in a call.
  private let standstills: Int

  init(_ random: inout SeededRandom) {
    var faults = SimulatedFaults()
    faults.lateFence = [0, 0.5, 0.9].randomElement(using: &random)!
    switch Int.random(in: 0..<16, using: &random) {
    case 0: break
    case 1: faults.abortable = 0.1
    case 2: faults.lostAnswer = 0.1
    case 3: faults.recreate = 0.1
    case 4: (faults.rebalance, faults.late) = (0.02, 0.3)
    case 5: (faults.crashBefore, faults.crashAfter) = (0.002, 0.004)
    case 6: faults.retriable = 0.02
    case 7: (faults.withheld, faults.repeated, faults.abortable) = (0.5, 0.2, 0.05)
    case 8: (faults.slow, faults.fullQueue) = (0.005, 0.02)
    case 9..<12: break
    default: faults = .rough(callsPerCrash: [200, 600, 2_000].randomElement(using: &random)!)
    }
    self.faults = faults
    standstills = [0, 50, 200].randomElement(using: &random)!
    disturbances =
      switch Int.random(in: 0..<7, using: &random) {
      case 0: [.none]
      case 1: [.standstill, .waking]
      case 2: [.twin, .twin, .standstill, .waking, .waking]
      case 3: [.stranger, .death, .death, .none]
      case 4: [.death]
      case 5: [.absence, .none]
      default: [.standstill, .standstill, .waking, .waking, .twin, .stranger, .death, .absence]
      }
  }

  func disturbance(_ random: inout SeededRandom) -> Disturbance {
    disturbances.randomElement(using: &random)!
  }

  /// What befalls a process from now on.
  func trouble(_ process: Process) {
    process.bus.faults = faults
    process.standstills = standstills
  }
}
