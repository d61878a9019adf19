import Configuration
import Glibc

/// What a command does. Throws `CommandFailure` (status 1) or `UsageError` (status 2); another error is 1.
public typealias CommandBody = (Invocation, Output) throws -> Void

/// The program around the commands' bodies: parsing, errors, exit status, and the commands that need no
/// cluster. Everything that it touches is passed in.
public struct Program {
  public static let version = "0.1.0"

  public enum Status: Int32, Sendable {
    case fine = 0
    case failed = 1
    case usedWrongly = 2
    /// Whoever read the results has seen enough: what a shell shows for other programs too, 128 and SIGPIPE.
    case notRead = 141
  }

  private let table: CommandTable
  private var bodies: [String: CommandBody] = [:]
  private let makeOutput: (_ json: Bool) -> Output
  private let writeError: (String) -> Void

  /// - Parameters:
  ///   - bodies: by command's name. Commands without one are not part of the program.
  ///   - environment, readFile, check: for configurations (`Configuration.load`).
  ///   - output: where results go.
  ///   - writeError: gets whole lines.
  public init(
    bodies: [String: CommandBody], environment: [String: String], readFile: @escaping FileReader,
    check: @escaping (Configuration) -> [Diagnostic] = { _ in [] },
    output: @escaping (_ json: Bool) -> Output, writeError: @escaping (String) -> Void
  ) {
    let own = ["validate", "completion", "version", "help"]
    let table = CommandTable.belfry.only(own + bodies.keys)
    precondition(table.commands.count == own.count + bodies.count, "a body without its command")
    self.table = table
    self.makeOutput = output
    self.writeError = writeError
    self.bodies = bodies
    self.bodies["help"] = { try $1.write(try table.help(for: $0.arguments)) }
    self.bodies["version"] = { try $1.write("belfry \(Self.version)\n") }
    self.bodies["completion"] = { invocation, output in
      let shell = invocation.argument(0).flatMap { CompletionShell(rawValue: $0) }
      try output.write(table.completion(shell ?? .bash))
    }
    self.bodies["validate"] = { invocation, output in
      let loaded = try Configuration.load(
        path: invocation.text("config"), environment: environment, readFile: readFile,
        check: check)
      for warning in loaded.warnings { writeError("\(visible(warning.description))\n") }
      try output.write(loaded.configuration.description)
    }
  }

  /// Runs what the words after the program's name say.
  public func run(_ words: [String]) -> Status {
    var command: String?
    do {
      let invocation = try table.parse(words)
      command = invocation.command
      guard let body = bodies[invocation.command] else {
        throw UsageError("unknown command '\(invocation.command)'")
      }
      try body(invocation, makeOutput(invocation.has("json")))
      return .fine
    } catch let error as UsageError {
      let which = (error.command ?? command).map { " \($0)" } ?? ""
      writeError("belfry: \(error.message)\nTry 'belfry\(which) --help'.\n")
      return .usedWrongly
    } catch let error as OutputError {
      if error.isClosed { return .notRead }
      let reason = String(cString: strerror(error.number))
      writeError("belfry: the results could not be written: \(reason)\n")
      return .failed
    } catch let error as ConfigurationErrors {
      // Each begins with its place, where editors look for it.
      for fault in error.diagnostics { writeError("\(visible(fault.description))\n") }
      return .failed
    } catch {
      for line in "\(error)".split(separator: "\n") { writeError("belfry: \(visible(String(line)))\n") }
      return .failed
    }
  }
}
