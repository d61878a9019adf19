import Configuration
import FrontDoor
import Glibc
import Synchronization
import Testing

/// A program with a disk of one file, and what it wrote.
final class Run: Sendable {
  private let texts = Mutex(["", ""])

  var out: String { texts.withLock { $0[0] } }
  var errors: String { texts.withLock { $0[1] } }

  func callAsFunction(
    _ words: [String], bodies: [String: CommandBody] = [:], yaml: String = "",
    environment: [String: String] = [:]
  ) -> Program.Status {
    let program = Program(
      bodies: bodies, environment: environment,
      readFile: { path, _ throws(Diagnostic) in
        guard path == "b.yaml" else { throw Diagnostic(Place(source: path), "no such file") }
        return Array(yaml.utf8)
      },
      output: { json in
        Output(terminalWidth: json ? nil : 80) { text in self.texts.withLock { $0[0] += text } }
      },
      writeError: { text in self.texts.withLock { $0[1] += text } })
    return program.run(words)
  }
}

@Suite struct ProgramTests {
  private let run = Run()

  @Test func `a command's body gets what was said and where to write`() {
    let bodies: [String: CommandBody] = [
      "query": { invocation, output in try output.rows(["sql"], [[.text(invocation.argument(0)!)]]) }
    ]
    #expect(run(["query", "a", "--json"], bodies: bodies) == .fine)
    #expect(run(["query", "b"], bodies: bodies) == .fine)
    #expect(run.out == "{\"sql\":\"a\"}\nsql\nb\n")
  }

  @Test func `a failure is status 1, wrong use is status 2, both on standard error`() {
    let bodies: [String: CommandBody] = [
      "query": { _, _ in throw CommandFailure("SQL 1:38: expected a column\u{1B}[31m") },
      "explain": { _, _ in throw UsageError("explain: no") },
    ]
    #expect(run(["query", "a"], bodies: bodies) == .failed)
    #expect(run(["explain", "a"], bodies: bodies) == .usedWrongly)
    #expect(run(["quer", "a"], bodies: bodies) == .usedWrongly)
    #expect(run.out == "")
    #expect(
      run.errors == """
        belfry: SQL 1:38: expected a column␛[31m
        belfry: explain: no
        Try 'belfry explain --help'.
        belfry: unknown command 'quer'; did you mean 'query'?
        Try 'belfry --help'.

        """)
  }

  @Test func `results that cannot be written are a failure, and a closed pipe ends the program quietly`() {
    for (number, words, status) in [
      (ENOSPC, "belfry: the results could not be written: No space left on device\n", Program.Status.failed),
      (EPIPE, "", .notRead),
    ] {
      let errors = Collected()
      let program = Program(
        bodies: [:], environment: [:], readFile: readFile,
        output: { _ in
          Output(terminalWidth: nil) { _ throws(OutputError) in throw OutputError(number: number) }
        },
        writeError: { errors.append($0) })
      #expect(program.run(["version"]) == status)
      #expect(errors.lines.joined() == words)
    }
  }

  @Test func `validate shows a good configuration and tells the faults of a bad one`() {
    #expect(
      run(["validate", "-c", "b.yaml"], yaml: "cluster: town", environment: ["BELFRY_X": "1"]) == .fine)
    #expect(run.out.hasPrefix("cluster: town\nmember:\n  id: member\n"))
    #expect(run.errors == "BELFRY_X: unknown variable, ignored\n")
    let bad = Run()
    #expect(bad(["validate", "-c", "b.yaml"], yaml: "kafak: 1\nmembers: x") == .failed)
    #expect(bad.out == "")
    #expect(
      bad.errors == """
        b.yaml:1:1: unknown key 'kafak'; did you mean 'kafka'?
        b.yaml:2:10: members: expected a whole number from 1 to 64, found 'x'

        """)
    #expect(Run()(["validate", "-c", "c.yaml"]) == .failed)
  }

  @Test func `version and help are there, for the program, each command and each group`() {
    #expect(run(["--version"]) == .fine)
    #expect(run.out == "belfry \(Program.version)\n")
    let bodies = Dictionary(
      uniqueKeysWithValues: CommandTable.belfry.commands.map(\.name)
        .filter { !["validate", "completion", "version", "help"].contains($0) }
        .map { ($0, { _, _ in } as CommandBody) })
    let all = Run()
    #expect(all([], bodies: bodies) == .fine)
    for command in CommandTable.belfry.commands {
      #expect(all.out.contains("  \(command.name) "))
      let one = Run()
      #expect(one(command.name.split(separator: " ").map(String.init) + ["--help"], bodies: bodies) == .fine)
      #expect(one.out.hasPrefix("usage: belfry \(command.name)"))
      for option in command.options { #expect(one.out.contains("--\(option.name)")) }
      for example in command.examples { #expect(one.out.contains(example)) }
    }
    let group = Run()
    #expect(group(["help", "dlq"], bodies: bodies) == .fine)
    #expect(group.out.contains("dlq replay"))
    #expect(group(["help", "dql"], bodies: bodies) == .usedWrongly)
  }

  @Test(arguments: [
    (["query"], "Try 'belfry query --help'."),
    (["dlq", "list", "--nonsense"], "Try 'belfry dlq list --help'."),
    (["dlq"], "Try 'belfry dlq --help'."), (["--json"], "Try 'belfry --help'."),
  ])
  func `a wrong call is told whose help to read`(words: [String], expected: String) {
    let bodies: [String: CommandBody] = ["query": { _, _ in }, "dlq list": { _, _ in }]
    #expect(run(words, bodies: bodies) == .usedWrongly)
    #expect(run.errors.split(separator: "\n").last.map(String.init) == expected)
  }

  @Test func `help shows what is in force where nothing is given`() {
    #expect(run(["query", "--help"], bodies: ["query": { _, _ in }]) == .fine)
    for words in ["(default: 127.0.0.1:9092)", "(default: 127.0.0.1:8787)", "(default: belfry)"] {
      #expect(run.out.contains(words), "\(words)")
    }
  }

  @Test func `a command without a body is not part of the program`() {
    #expect(run(["serve"]) == .usedWrongly)
    #expect(run(["help"]) == .fine)
    #expect(!run.out.contains("  serve "))
  }
}
