import Base
import Foundation
import Glibc
import Synchronization
import Testing

/// A process that a test started. Its output goes to files, so that nothing waits for a reader.
final class Child {
  let pid: pid_t
  private let outputFile: String
  private let errorsFile: String
  /// There for as long as the process is: for the shell that ends what a crash of the tests leaves.
  private let pidFile: String
  private var ended: Int32?

  /// Those that run, for the end of the test process.
  private static let running = Mutex<Set<pid_t>>([])
  private static let cleaning: Void = {
    atexit { for pid in Child.running.withLock({ $0 }) { kill(pid, SIGKILL) } }
  }()

  /// `environment` comes on top of the test's own, without what configures a member. `terminal`: the
  /// device that is its input and output, and its controlling terminal.
  init(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
    terminal: String? = nil
  ) throws {
    _ = Self.cleaning
    let stem = "\(Scratch.folder)/\(Scratch.next())"
    outputFile = stem + ".out"
    errorsFile = stem + ".err"
    if let input { try input.write(toFile: stem + ".in", atomically: false, encoding: .utf8) }
    pid = try spawn(
      [program] + arguments, Self.environment(environment),
      files: [
        terminal ?? (input == nil ? "/dev/null" : stem + ".in"), terminal ?? outputFile, errorsFile,
      ],
      isSession: terminal != nil)
    _ = Self.running.withLock { [pid] in $0.insert(pid) }
    pidFile = stem + ".pid"
    try "\(pid)".write(toFile: pidFile, atomically: false, encoding: .utf8)
  }

  deinit {
    if status == nil { signal(SIGKILL) }
  }

  private static func environment(_ own: [String: String]) -> [String] {
    var all = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BELFRY_") }
    all.merge(own) { $1 }
    return all.map { "\($0)=\($1)" }
  }

  var output: String { Self.text(outputFile) }
  var errors: String { Self.text(errorsFile) }

  private static func text(_ file: String) -> String {
    FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The exit status, 128 and the signal's number where one ended it; nil while it runs.
  var status: Int32? {
    if let ended { return ended }
    var word: Int32 = 0
    guard waitpid(pid, &word, WNOHANG) == pid else { return nil }
    _ = Self.running.withLock { [pid] in $0.remove(pid) }
    unlink(pidFile)
    ended = word & 0x7f == 0 ? (word >> 8) & 0xff : 128 + (word & 0x7f)
    return ended
  }

  func signal(_ number: Int32) {
    if status == nil { kill(pid, number) }
  }

  /// Waits for the end; a process that does not end within the time is killed, and the test fails.
  @discardableResult
  func end(within limit: Duration = .seconds(30), _ at: SourceLocation = #_sourceLocation) throws -> Int32 {
    defer { if status == nil { signal(SIGKILL) } }
    try eventually(within: limit, "the end of process \(pid): \(errors.suffix(2000))", at) { status != nil }
    return status!
  }

  /// Ends it with SIGKILL and waits until it is gone.
  func killNow() throws {
    signal(SIGKILL)
    try end()
  }
}

/// Where the tests' processes write, gone when the tests end.
enum Scratch {
  private static let count = Atomic<Int>(0)

  static let folder: String = {
    var template = Array("\(NSTemporaryDirectory())/belfry-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { preconditionFailure("no temporary folder") }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    watch(folder)
    return folder
  }()

  /// A shell that outlives the tests, however they end: it ends their processes and removes the folder.
  private static func watch(_ folder: String) {
    let script = """
      trap '' INT TERM
      (while kill -0 \(getpid()); do sleep 1; done
      for file in "$0"/*.pid; do kill -9 "$(cat "$file")"; done; rm -rf "$0") 2>/dev/null &
      """
    let none = Array(repeating: "/dev/null", count: 3)
    guard
      let pid = try? spawn(
        ["/bin/sh", "-c", script, folder], ["PATH=/usr/bin:/bin"], files: none, isSession: false)
    else { preconditionFailure("no shell") }
    waitpid(pid, nil, 0)
  }

  static func next() -> Int { count.add(1, ordering: .relaxed).newValue }

  /// A file with this text.
  static func file(_ text: String, _ ending: String = "yaml") throws -> String {
    let path = "\(folder)/\(next()).\(ending)"
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    return path
  }
}

/// Looks again and again until it holds; the test fails where it does not within the time.
func eventually(
  within limit: Duration = .seconds(40), _ what: @autoclosure () -> String,
  _ at: SourceLocation = #_sourceLocation, _ holds: () throws -> Bool
) throws {
  let clock = SystemClock()
  let deadline = clock.elapsed() + limit
  while try !holds() {
    if clock.elapsed() > deadline {
      let what = what()
      Issue.record("not within \(limit): \(what)", sourceLocation: at)
      throw NotInTime(what: what)
    }
    usleep(20_000)
  }
}

struct NotInTime: Error {
  let what: String
}

/// `POSIX_SPAWN_SETSID`, which the headers show to GNU programs only.
private let newSession: Int16 = 0x80

/// `files`: standard input, output and error. A session's leader gets the first terminal that it opens.
private func spawn(
  _ words: [String], _ environment: [String], files: [String], isSession: Bool
) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  for (descriptor, file) in files.enumerated() {
    let flags = descriptor == 0 ? (isSession ? O_RDWR : O_RDONLY) : O_WRONLY | O_CREAT
    posix_spawn_file_actions_addopen(&actions, Int32(descriptor), file, flags, 0o600)
  }
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  if isSession { posix_spawnattr_setflags(&attributes, newSession) }
  var argv = words.map { strdup($0) } + [nil]
  var envp = environment.map { strdup($0) } + [nil]
  defer { for text in argv + envp { free(text) } }
  var pid: pid_t = 0
  let error = posix_spawn(&pid, words[0], &actions, &attributes, &argv, &envp)
  try #require(error == 0, "\(words[0]): \(String(cString: strerror(error)))")
  return pid
}
