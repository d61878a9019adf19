import Base
import Synchronization
import Testing

@Suite struct LogTests {
  @Test(arguments: [
    ("plain", "plain"), ("", #""""#), ("the group's members", #""the group's members""#),
    ("it's", "it's"), (#"a "b" \"#, #""a \"b\" \\""#), ("a\nb\u{1B}", #""a\nb\u{1B}""#), ("é ü", #""é ü""#),
  ])
  func `a value is quoted where it would not be one word`(value: String, expected: String) {
    let lines = Mutex<[String]>([])
    let sink = Log.Sink(clock: SystemClock(), least: .info) { line in lines.withLock { $0.append(line) } }
    Log(sink, "test").warning("words", ("key", value))
    #expect(lines.withLock { $0 }.map { $0.hasSuffix(" warning test words key=\(expected)\n") } == [true])
  }
}
