import Base

/// Work on a thread of its own that can stand still in its midst: of all threads of a simulation one runs at a
/// time, and hands on to the next like a baton. So a process can be stopped between any two calls of the bus,
/// with production code on its stack, while others run.
public final class SimulatedStrand: @unchecked Sendable {
  // Unchecked: the signals hand everything from thread to thread, one of which waits.
  private let onward = Signal()
  private let back = Signal()
  private var thread: JoinedThread?
  private var body: (() -> Void)?
  private var hasEnded = false

  /// Longer than anything runs between two standstills.
  private static let patience = Duration.seconds(300)

  public init(_ body: @escaping () -> Void) { self.body = body }

  /// Runs until the work stands still (false) or has ended (true). The driver's thread calls it.
  public func resume() -> Bool {
    precondition(!hasEnded, "what has ended goes on no more")
    if thread == nil {
      thread = JoinedThread { [self] in
        body!()
        body = nil
        hasEnded = true
        back.raise()
      }
      precondition(thread != nil, "the machine has no more threads to give")
    } else {
      onward.raise()
    }
    precondition(back.wait(atMost: Self.patience), "the work neither ends nor stands still")
    if hasEnded { thread!.join() }
    return hasEnded
  }

  /// Stands still until it is resumed. The work itself calls it, on its own thread.
  public func standStill() {
    back.raise()
    precondition(onward.wait(atMost: Self.patience), "nobody goes on with what stands still")
  }
}
