import Bus
import Client
import Testing

@Suite struct HistorySummaryTests {
  private func summary(_ stream: Reading) throws -> HistorySummary {
    var summary = HistorySummary()
    for event in try stream.read() { summary.take(event) }
    return summary
  }

  @Test func `a whole history is complete`() throws {
    let stream = try Reading()
    stream.write(3, 1...3)
    let one = try summary(stream)
    #expect(one.isComplete && one.text == "complete: 1 to 3, epoch 3")
    stream.write(5, 4...8)
    let two = try summary(stream)
    #expect(two.isComplete && two.text == "complete: 1 to 8, epochs 3 to 5")
  }

  @Test func `nothing is complete, too`() throws {
    #expect(try summary(Reading()).text == "complete: no records")
  }

  @Test func `what was dropped rightly, and what is not the stream's, is said and costs nothing`() throws {
    let stream = try Reading()
    stream.write(1, 1...2)
    stream.write(2, 1)
    stream.write(1, 3)
    stream.writeBeside()
    stream.write(2, 2, value: #"{"op":"m","source":{}}"#)
    let summary = try summary(stream)
    #expect(summary.isComplete)
    #expect(
      summary.text == "complete: 1 to 2, epochs 1 to 2; 1 record of a replaced publisher dropped;"
        + " 1 restart from 1; 1 notice; 1 record that is not the stream's")
  }

  @Test func `a gap, a repeat or an unreadable record makes it incomplete, with the place`() throws {
    let gap = try Reading()
    gap.write(1, 1)
    gap.write(1, 4)
    gap.write(1, 9)
    #expect(
      try summary(gap).text == "incomplete: 1 to 9, epoch 1; 2 gaps of 6 in all;"
        + " first: gap: 2 to 3 are missing before epoch 1, seq 4 (offset 1)")
    let twice = try Reading()
    twice.write(1, 1...2)
    twice.write(1, 2)
    #expect(
      try summary(twice).text
        == "incomplete: 1 to 2, epoch 1; 1 repeat; first: repeat: dropped epoch 1, seq 2 (offset 2)")
    let spoilt = try Reading()
    spoilt.write(1, 1, value: "[]")
    #expect(
      try summary(spoilt).text == "incomplete: 1 to 1, epoch 1; 1 unreadable record;"
        + " first: unreadable: epoch 1, seq 1 (offset 0): the value is no JSON object")
  }

  @Test(arguments: ["gap", "limit"])
  func `a notice of lost changes makes it incomplete`(kind: String) throws {
    let stream = try Reading()
    let notice = #"{"kind":"\#(kind)","text":"changes 5 to 9"}"#
    stream.write(1, 1, value: #"{"op":"m","source":{},"notice":\#(notice)}"#)
    stream.write(1, 2)
    #expect(
      try summary(stream).text == "incomplete: 1 to 2, epoch 1; 1 notice of lost changes;"
        + " first: notice: epoch 1, seq 1 (offset 0): changes 5 to 9")
  }

  @Test func `gaps of any size add up without a trap`() throws {
    let stream = try Reading()
    let most = Int64.max / 2 - 1
    stream.write(1, most)
    stream.write(2, 2)
    stream.write(2, most)
    stream.write(3, 2)
    stream.write(3, most)
    let summary = try summary(stream)
    #expect(!summary.isComplete && summary.missing == .max && summary.gaps == 5)
  }

  @Test func `what went with a deleted topic is missing, and why is said`() throws {
    let stream = try Reading(cleanup: "compact")
    stream.write(1, 1...3)
    try stream.makeAgain()
    stream.write(1, 4...6)
    #expect(
      try summary(stream).text == "incomplete: 4 to 6, epoch 1; 1 gap of 3 in all; 1 deletion of its topic;"
        + " first: gap: 1 to 3 are missing before epoch 1, seq 4 (offset 0)")
  }

  @Test func `what compaction removed is not missing`() throws {
    let stream = try Reading(cleanup: "compact")
    for seq in 1...6 { stream.write(1, Int64(seq), key: "row") }
    stream.cluster.compact(stream.address.topic)
    #expect(try summary(stream).text == "complete: 5 to 6, epoch 1; 4 superseded records compacted away")
  }
}
