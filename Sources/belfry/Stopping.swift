import Base
import Glibc

extension Server {
  /// How long a stop waits for what is open. Past it a broker is away, which may take a minute to show.
  static let stopLimit = Duration.seconds(10)

  /// Stops, but waits no longer than `stopLimit`, nor past a second signal: the process then ends with what is
  /// open, as with kill -9, by which nothing is lost that was acknowledged. Status 1, or 128 and the signal.
  func stopInTime() {
    log.info("stopping: waiting for what is open", ("at_most", "\(Self.stopLimit)"))
    let stopped = Signal()
    nonisolated(unsafe) let server = self  // from here on that thread's alone
    let thread = JoinedThread {
      server.stop()
      stopped.raise()
    }
    guard let thread else { return stop() }
    let clock = SystemClock()
    let deadline = clock.elapsed() + Self.stopLimit
    while !stopped.wait(atMost: .milliseconds(50)) {
      if let signal = Signals.wait(atMost: .zero), signal != SIGHUP {
        log.warning("ended by a second signal: what was open is done again at the next start")
        _exit(128 + signal)
      }
      if clock.elapsed() > deadline {
        log.error("ended without Kafka's answer: what was open is done again at the next start")
        _exit(1)
      }
    }
    thread.join()
  }
}
