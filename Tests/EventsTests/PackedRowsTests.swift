import Base
import Events
import Testing

@Suite struct PackedRowsTests {
  /// More columns than one word of bits has, of both widths, in no order.
  private static let schema = Schema(
    table: "wide",
    columns: (0..<75).map { Column("c\($0)", [.string, .int, .real, .bool, .time][$0 * 7 % 5]) },
    key: ["c0"])
  private let schema = Self.schema
  private let rows = PackedRows(Self.schema)

  private func cells(_ slot: PackedRows.Slot) -> [Cell] {
    var cells = [Cell](repeating: 99, count: schema.columns.count)
    cells.withUnsafeMutableBufferPointer { rows.read(slot, into: $0.baseAddress!) }
    return cells
  }

  private func write(_ slot: PackedRows.Slot, _ cells: [Cell]) {
    cells.withUnsafeBufferPointer { rows.write(slot, $0.baseAddress!) }
  }

  private func random(_ random: inout SeededRandom) -> [Cell] {
    let zeros = Int.random(in: 0...4, using: &random)
    return schema.columns.map { column in
      if Int.random(in: 0..<4, using: &random) < zeros { return 0 }
      return column.type == .string
        ? Cell(UInt32.random(in: 1 ... .max, using: &random)) : UInt64.random(in: 1 ... .max, using: &random)
    }
  }

  @Test func `rows are read as they were written, over any others`() {
    var seeded = SeededRandom(seed: 5)
    var expected: [PackedRows.Slot: [Cell]] = [:]
    for _ in 0..<20_000 {
      let slot = expected.count < 50 ? rows.makeSlot() : expected.keys.sorted().randomElement(using: &seeded)!
      let row = random(&seeded)
      write(slot, row)
      expected[slot] = row
      if Int.random(in: 0..<10, using: &seeded) == 0 {
        rows.remove(slot)
        rows.freeSlot(slot)
        expected[slot] = nil
      }
    }
    for (slot, row) in expected { #expect(cells(slot) == row) }
    for (slot, row) in expected {
      var codes: [StringTable.Code] = []
      rows.forEachCode(slot) { codes.append($0) }
      let texts = zip(schema.columns, row).filter { $0.type == .string && $1 != 0 }.map { $1.code }
      #expect(codes == texts)
    }
  }

  @Test func `what a row no longer needs is another's`() {
    let full = schema.columns.map { _ in Cell(7) }
    let slots = (0..<1000).map { _ in rows.makeSlot() }
    for slot in slots { write(slot, full) }
    let held = rows.bytesHeld
    for _ in 0..<50 {
      for slot in slots { write(slot, full.map { _ in 0 }) }
      for slot in slots { write(slot, full) }
      for slot in slots { rows.remove(slot) }
      for slot in slots { write(slot, full) }
    }
    #expect(rows.bytesHeld == held)
  }
}
