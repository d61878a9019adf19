import FrontDoor
import Testing

@Suite struct OutputTests {
  @Test func `columns are aligned by what is seen, numbers to the right`() {
    let table = textTable(
      ["Node", "Tally"],
      [[.text("東京"), .int(5)], [.text("core-1"), .int(1200)], [.text("e\u{301}"), .null]],
      width: 80)
    #expect(table == "Node    Tally\n東京        5\ncore-1   1200\ne\u{301}\n")
  }

  @Test func `the widest column gives way, and no line is wider than the terminal`() {
    let rows: [[Cell]] = [[.text("core-1"), .text(String(repeating: "long ", count: 40)), .int(5)]]
    let table = textTable(["Node", "Summary", "Severity"], rows, width: 40)
    #expect(table.split(separator: "\n")[1].hasPrefix("core-1  long long"))
    #expect(table.split(separator: "\n").allSatisfy { displayWidth(String($0)) <= 40 })
    for width in 0...12 {
      let narrow = textTable(["Node", "Summary", "Severity"], rows, width: width)
      #expect(narrow.split(separator: "\n").allSatisfy { displayWidth(String($0)) <= width })
    }
  }

  @Test func `a terminal of 80 columns shows the requests as a table, its texts cut and no number`() {
    let columns = [
      "client", "name", "stream", "mode", "status", "interval_ms", "lease_ms", "store_and_forward", "sql",
    ]
    let row: [Cell] = [
      .text("operator@control-room"), .text("subscribe-4711-123456"), .text("3f9a0c51b7e2d014"), .text("net"),
      .text("active"), .int(86_400_000), .int(60_000), .bool(false),
      .text("SELECT Node, Severity, Summary FROM alerts WHERE Severity >= 4"),
    ]
    let lines = bestText(columns, [row], width: 80).split(separator: "\n")
    #expect(lines.count == 2 && lines.allSatisfy { displayWidth(String($0)) <= 80 }, "\(lines)")
    #expect(lines[1].hasPrefix("operato…  subscri…  3f9a0c5…  net"), "\(lines)")
    #expect(lines[1].contains("86400000") && lines[1].contains(" 60000 "), "\(lines)")
    #expect(bestText(columns, [row], width: 60).hasPrefix("-[ 1 ]"))
  }

  @Test func `what does not fit becomes records, and nothing is cut`() {
    let id = "3f9a0c51b7e2d014"
    let row: [Cell] = [.text(id), .int(5), .text(String(repeating: "long ", count: 30) + "end")]
    let columns = ["stream", "clients", "sql"]
    let running = bestText(columns, [row, row], width: 80)
    #expect(running.hasPrefix("stream            clients  sql\n\(id)        5  long "))
    #expect(running.split(separator: "\n").allSatisfy { $0.hasSuffix("end") || $0.hasSuffix("sql") })
    let records = bestText(columns, [row, [.text("x\u{1B}"), .null, .text("y")]], width: 25)
    #expect(records.hasPrefix("-[ 1 ]--------------------\nstream   \(id)\nclients  5\nsql      long "))
    #expect(records.hasSuffix("end\n-[ 2 ]--------------------\nstream   x␛\nclients\nsql      y\n"))
    #expect(bestText(columns, [], width: 5) == "stream  clients  sql\n")
    #expect(bestText([], [], width: 5) == "\n")
  }

  @Test(arguments: [
    ("plain é 東", "plain é 東"), ("a\u{1B}[2Jb", "a␛[2Jb"), ("a\nb\r\tc", "a␊b␍␉c"), ("\u{7F}", "␡"),
    ("\u{9B}31m", "\\u{9B}31m"), ("a\u{202E}b", "a\\u{202E}b"), ("\0", "␀"), ("\u{2028}", "\\u{2028}"),
    ("👩\u{200D}👧", "👩\u{200D}👧"),
  ])
  func `what a terminal would obey is made visible`(text: String, expected: String) {
    #expect(visible(text) == expected)
  }

  @Test(arguments: [("abc", 3), ("東京", 4), ("é", 1), ("e\u{301}", 1), ("👍", 2), ("", 0), ("ｱ", 1)])
  func `a width is counted in the terminal's columns`(text: String, expected: Int) {
    #expect(displayWidth(text) == expected)
  }

  @Test(arguments: [
    ("abcdef", 4, "abc…"), ("abcd", 4, "abcd"), ("東京都", 4, "東…"), ("abc", 0, ""), ("abc", 1, "…"),
  ])
  func `a text is cut to a width`(text: String, width: Int, expected: String) {
    #expect(fitted(text, to: width) == expected)
  }

  @Test func `without a terminal there is one JSON object a line`() throws {
    let collected = Collected()
    let output = Output(terminalWidth: nil) { collected.append($0) }
    try output.rows(
      ["a", "b\"", "c", "d", "e"],
      [
        [.text("x\u{1B}\n\"\\é\u{9B}"), .int(-5), .real(1.5), .bool(true), .json("[1,2]")],
        [.text(""), .int(.max), .real(.infinity), .bool(false), .null],
      ])
    #expect(
      collected.lines == [
        #"{"a":"x\u001b\n\"\\é\u009b","b\"":-5,"c":1.5,"d":true,"e":[1,2]}"# + "\n",
        #"{"a":"","b\"":9223372036854775807,"c":null,"d":false,"e":null}"# + "\n",
      ])
  }
}
