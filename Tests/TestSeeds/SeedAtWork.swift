import Glibc

/// Which seeds a test runs: those that `make` asked for, or its own.
public struct Seeds: Sendable {
  public let all: Range<UInt64>
  /// They were asked for.
  public let areMany: Bool

  /// From the environment's variables of these names, if the first is set.
  public init(count: String, first: String, otherwise own: UInt64) {
    let asked = Self.variable(count)
    let first = Self.variable(first) ?? 1
    all = first..<first + (asked ?? own)
    areMany = asked != nil
  }

  /// Of `make fuzz`.
  public static func fuzz(otherwise own: UInt64) -> Seeds {
    Seeds(count: "BELFRY_FUZZ_CASES", first: "BELFRY_FUZZ_SEED", otherwise: own)
  }

  private static func variable(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  /// Every `shares`th of them, for tests that run beside each other.
  public func share(_ share: Int, of shares: Int) -> StrideTo<UInt64> {
    stride(from: all.lowerBound + UInt64(share), to: all.upperBound, by: shares)
  }
}

/// What a test tries with many seeds, in shares beside each other.
public struct Trials: Sendable {
  public let seeds: Seeds
  public let shares: Range<Int>
  private let command: StaticString

  /// `command` tries one seed again, which comes behind it; `own`: seeds in `make test`.
  public init(_ command: StaticString, otherwise own: UInt64, shares: Int = 2) {
    self.command = command
    self.shares = 0..<shares
    seeds = .fuzz(otherwise: own)
  }

  /// `again` is the command that tries this seed again, for the message of a failure.
  public func forEach(in share: Int, _ body: (_ seed: UInt64, _ again: String) throws -> Void) rethrows {
    for seed in seeds.share(share, of: shares.count) {
      try SeedAtWork.run(seed, command) { try body(seed, "\(command)\(seed)") }
    }
  }
}

/// Names the seed that is at work where the code under it traps, which ends the test's process at once.
public enum SeedAtWork {
  private struct Work {
    let seed: UInt64
    let command: StaticString
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  // Unsafe: written once, under `isWatching`; then read by a signal's handler.
  nonisolated(unsafe) private static var before: [Int32: sigaction] = [:]
  private static let isWatching: Bool = {
    _ = key
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in SeedAtWork.trapped(signal) }
    for signal in [SIGILL, SIGTRAP, SIGSEGV] {
      var old = sigaction()
      sigaction(signal, &action, &old)
      before[signal] = old
    }
    return true
  }()

  /// Runs the body; should it trap, standard error has `trapped: <command><seed>`.
  public static func run<T>(_ seed: UInt64, _ command: StaticString, _ body: () throws -> T) rethrows -> T {
    precondition(isWatching)
    return try withUnsafePointer(to: Work(seed: seed, command: command)) { work in
      pthread_setspecific(key, work)
      defer { pthread_setspecific(key, nil) }
      return try body()
    }
  }

  private static func trapped(_ signal: Int32) {
    if let work = pthread_getspecific(key)?.assumingMemoryBound(to: Work.self).pointee {
      var line = "trapped: \(work.command)\(work.seed)\n"
      line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }
    // It meets the trap again, and the handler before.
    if var old = before[signal] { sigaction(signal, &old, nil) }
  }
}
