// Decoding an event into typed columns with dictionary codes, beside jansson's parse of the same bytes.
//   swift run -c release DecodeBenchmark [ROWS [EVENTS [ROUNDS]]]
import Base
import CJansson
import Events
import Glibc

/// Events of 350 bytes as probes send them: 14 columns of `alerts` in one order, strings that repeat from row to
/// row, names of the row's own, whole numbers, times; half of the summaries are never seen again.
struct Load: ~Copyable {
  private(set) var bytes = ByteBuffer(capacity: 1 << 24)
  private(set) var ends: [Int] = []

  init(events: Int, rows: Int) {
    var random = SeededRandom(seed: 7)
    for event in 0..<events {
      let row = Int.random(in: 0..<rows, using: &random)
      append(event, row, &random)
      ends.append(bytes.count)
    }
  }

  private mutating func append(_ event: Int, _ row: Int, _ random: inout SeededRandom) {
    let group = ["Link", "BGP", "Optics", "Power", "CPU", "Disk", "Process", "Fan"][row % 8]
    let node = "core-\(100_000 + row / 20)"
    let start = bytes.count
    bytes.append(#"{"Identifier":"\#(node):\#(group):\#(row % 20)","Node":"\#(node)","Manager":"snmp","#)
    bytes.append(#""Agent":"probe-\#(row % 6)","AlertGroup":"\#(group)","AlertKey":"port-\#(row % 20)","#)
    bytes.append(#""Severity":\#(Int.random(in: 1...5, using: &random)),"Type":1,"Class":\#(300 + row % 8),"#)
    let time = 1_732_185_172_000 + event * 3
    bytes.append(#""FirstOccurrence":\#(time - 60_000),"LastOccurrence":\#(time),"Service":"backbone","#)
    bytes.append(
      #""Customer":"customer-\#(row % 500)","Summary":"\#(group) on port \#(row % 20) of \#(node): "#)
    let value = event % 2 == 0 ? row : event + 1_000_000
    bytes.append("value \(value) over its limit")
    while bytes.count < start + 348 { bytes.append(UInt8(ascii: "a") + UInt8((bytes.count - start) % 26)) }
    bytes.append(#""}"#)
  }

  @inline(__always)
  func event(_ index: Int) -> UnsafeRawBufferPointer {
    bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
  }
}

/// Rows that the events fall on in turn: each decoded one replaces the one before, whose strings go.
final class Target {
  let schema = Schema.alerts
  let decoder: EventDecoder
  let ring: DecoderRing
  let strings = StringTable()
  let store: RowStore
  private var next: RowStore.Slot = 0

  init(rows: Int) {
    let make = { [schema] in EventDecoder(schema, bytesMax: 1 << 20, unknownFields: .keep) }
    decoder = make()
    ring = DecoderRing(strings, make)
    store = RowStore(schema: schema, strings: strings)
    for _ in 0..<rows { _ = store.makeSlot() }
  }

  @inline(__always)
  func decode(_ event: UnsafeRawBufferPointer) {
    guard case .event = decoder.decode(event) else { fatalError("a good event was refused") }
  }

  /// Decodes a batch into the next rows, whose strings `release` let go before.
  func take(_ batch: borrowing ByteBuffer, _ ends: [Int]) {
    for index in 0..<ends.count + DecoderRing.ahead {
      if index < ends.count { ring.decode(index, batch[(index == 0 ? 0 : ends[index - 1])..<ends[index]]) }
      if index >= DecoderRing.ahead { install(ring[index - DecoderRing.ahead]) }
    }
  }

  private func install(_ decoder: EventDecoder) {
    guard case .event = decoder.outcome else { fatalError("a good event was refused") }
    decoder.internStrings(strings)
    let row = store.row(next)
    for column in decoder.present { row[column] = decoder.cell(column) }
    next = next + 1 == store.slotLimit ? 0 : next + 1
  }

  /// Makes room for that many rows.
  func release(_ count: Int) {
    for index in 0..<count {
      let row = store.row((next + UInt32(index)) % store.slotLimit)
      store.releaseStrings(row)
      for column in store.stringColumns { row[column] = 0 }
    }
  }
}

/// CPU nanoseconds an event, of one pass over a batch.
func nanoseconds(_ batch: borrowing ByteBuffer, _ ends: [Int], _ body: (UnsafeRawBufferPointer) -> Void)
  -> Double
{
  let start = cpuTime()
  var at = 0
  for end in ends {
    body(batch[at..<end])
    at = end
  }
  return (cpuTime() - start) / Double(ends.count)
}

func nanoseconds(_ events: Int, _ body: () -> Void) -> Double {
  let start = cpuTime()
  body()
  return (cpuTime() - start) / Double(events)
}

func cpuTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

func parseByJansson(_ event: UnsafeRawBufferPointer) {
  var error = json_error_t()
  guard let tree = json_loadb(event.baseAddress?.assumingMemoryBound(to: CChar.self), event.count, 0, &error)
  else { fatalError("jansson refuses a good event") }
  json_decref(tree)
}

let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let rows = numbers.first ?? 20_000
let events = numbers.dropFirst().first ?? 100_000
let rounds = numbers.dropFirst(2).first ?? 5
/// Records of one poll at most (`BusLimits`); no row twice.
let batchRecords = min(10_000, rows)

/// Batch by batch, each copied before it is decoded, as a poll does; all three at once, so that what else the
/// machine does falls on all of them.
func run() {
  let load = Load(events: events, rows: rows)
  let target = Target(rows: rows)
  var batch = ByteBuffer(capacity: 1 << 23)
  var jansson: [Double] = []
  var columns: [Double] = []
  var codes: [Double] = []
  for round in 0...rounds {
    for first in stride(from: 0, to: events, by: batchRecords) {
      batch.removeAll()
      var ends: [Int] = []
      for index in first..<min(first + batchRecords, events) {
        batch.append(load.event(index))
        ends.append(batch.count)
      }
      target.release(ends.count)
      let times = (
        nanoseconds(batch, ends, parseByJansson), nanoseconds(batch, ends) { target.decode($0) },
        nanoseconds(ends.count) { target.take(batch, ends) }
      )
      if round == 0 { continue }  // fills the rows
      jansson.append(times.0)
      columns.append(times.1)
      codes.append(times.2)
    }
  }
  print("event_bytes \(load.bytes.count / events)")
  print("rows \(rows)")
  print("strings \(target.strings.count)")
  print("jansson_ns \(median(jansson).rounded())")
  print("columns_ns \(median(columns).rounded())")
  print("codes_ns \(median(codes).rounded())")
  print("ratio_columns \((median(zip(jansson, columns).map { $0 / $1 }) * 10).rounded() / 10)")
  print("ratio_codes \((median(zip(jansson, codes).map { $0 / $1 }) * 10).rounded() / 10)")
}
run()
