import Foundation
import FrontDoor
import Testing

@Suite struct CompletionTests {
  /// What a real bash completes after these words, the last of which is being typed.
  private func bash(_ words: String...) throws -> [String] {
    let quoted = (["belfry"] + words).map { "'\($0)'" }.joined(separator: " ")
    let script =
      CommandTable.belfry.completion(.bash) + """

        COMP_WORDS=(\(quoted)); COMP_CWORD=\(words.count)
        _belfry; printf '%s\\n' "${COMPREPLY[@]}"
        """
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["--norc", "-c", script]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return text.split(separator: "\n").map(String.init)
  }

  @Test func `bash completes commands, options and their values`() throws {
    #expect(try bash("s") == ["serve", "subscribe", "streams", "send"])
    #expect(try bash("dlq", "") == ["list", "show", "replay"])
    #expect(try bash("dlq", "list", "--l") == ["--limit"])
    #expect(try bash("subscribe", "--mode", "") == ["net", "all", "immediate"])
    #expect(try bash("subscribe", "--placement", "=", "l") == ["lane"])
    #expect(try bash("subscribe", "--placement", "=") == ["own", "lane"])
    #expect(try bash("subscribe", "--placement=l") == ["--placement=lane"])
    #expect(try bash("help", "de") == ["demo", "definitions"])
    #expect(try bash("subscribe", "SELECT 1", "--in") == ["--interval"])
    #expect(try bash("completion", "") == ["bash", "zsh", "fish"])
    #expect(try bash("subscribe", "--interval", "") == [])
    #expect(try bash("--v") == ["--version"])
    #expect(try bash("nonsense", "x") == [])
  }

  @Test func `bash completes files where a file is meant`() throws {
    let here = URL(filePath: #filePath).deletingLastPathComponent().path
    #expect(try bash("serve", "-c", "\(here)/Compl") == ["\(here)/CompletionTests.swift"])
    #expect(try bash("send", "\(here)/Compl") == ["\(here)/CompletionTests.swift"])
    #expect(try bash("query", "\(here)/Compl") == [])
    #expect(try bash("serve", "--config", "=", "\(here)/Compl") == ["\(here)/CompletionTests.swift"])
    #expect(try bash("serve", "--config=\(here)/Compl") == ["--config=\(here)/CompletionTests.swift"])
  }

  @Test func `a file's name may have blanks in it`() throws {
    let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "belfry \(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for name in ["one file.yaml", "one other.yaml"] { try Data().write(to: folder.appending(path: name)) }
    let found = try bash("serve", "-c", "\(folder.path)/one")
    #expect(found.sorted() == ["\(folder.path)/one file.yaml", "\(folder.path)/one other.yaml"])
  }

  @Test(arguments: CompletionShell.allCases)
  func `each shell's script knows every command and option`(shell: CompletionShell) {
    let script = CommandTable.belfry.completion(shell)
    for command in CommandTable.belfry.commands {
      for word in command.name.split(separator: " ") { #expect(script.contains(word)) }
      for option in command.options { #expect(script.contains(option.name)) }
    }
  }
}
