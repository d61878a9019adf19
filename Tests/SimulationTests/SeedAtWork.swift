import Glibc

/// Names the seed that is at work where the code under it traps, which ends the test's process at once.
enum SeedAtWork {
  // Unsafe: written by the one test that runs seeds, read by a signal's handler on the same thread.
  nonisolated(unsafe) private static var seed: UInt64 = 0
  nonisolated(unsafe) private static var before = sigaction()

  private static let signals = [SIGILL, SIGTRAP, SIGSEGV]

  static func set(_ number: UInt64) { seed = number }

  static func watch() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in
      var line = "trapped: make simulate SEEDS=1 FIRST=\(SeedAtWork.seed)\n"
      line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
      sigaction(signal, &SeedAtWork.before, nil)  // it meets the trap again, and the handler before
    }
    for signal in signals { sigaction(signal, &action, &before) }
  }

  static func unwatch() {
    for signal in signals { sigaction(signal, &before, nil) }
  }
}
