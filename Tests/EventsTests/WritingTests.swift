import Base
import Events
import Testing

/// Texts as records have them.
@Suite struct WritingTests {
  private func text(_ body: (inout ByteBuffer) -> Void) -> String {
    var buffer = ByteBuffer(capacity: 16)
    body(&buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  @Test func `integers are written in decimal`() {
    var numbers: [Int64] = [0, 1, 9, 10, 99, 100, 101, 109, 110, .max, .min]
    var power: Int64 = 1
    for _ in 0..<18 {
      power *= 10
      numbers += [power - 1, power, power + 1, power * 3 / 2, -power, 1 - power]
    }
    for number in numbers { #expect(text { $0.append(decimal: number) } == "\(number)") }
  }

  /// The text is looked through eight bytes at a time: what is to be escaped can be any of them.
  @Test func `a string is escaped wherever it has to be`() throws {
    let clean = Array(" !#[]a\u{7f}\u{80}\u{e9}\u{20ac}\u{1f600}~".utf8)
    for count in 0...40 {
      let plain = String(decoding: (0..<count).map { clean[$0 % 7] }, as: UTF8.self)
      #expect(text { $0.append(jsonString: plain) } == "\"\(plain)\"")
      for place in 0..<count {
        for byte in Array(1..<0x20) + [0x22, 0x5C] as [UInt8] {
          var bytes = Array(plain.utf8)
          bytes[place] = byte
          let written = text { $0.append(jsonString: String(decoding: bytes, as: UTF8.self)) }
          #expect(written.utf8.count > count + 2)
          #expect(try JSON(parsing: "[\(written)]").array?.first?.string.map { Array($0.utf8) } == bytes)
        }
      }
    }
    let other = String(decoding: clean, as: UTF8.self)
    #expect(text { $0.append(jsonString: other) } == "\"\(other)\"")
  }

  @Test func `a row is an object of the wanted columns`() {
    let strings = StringTable()
    let schema = Schema(
      table: "t", columns: [Column("a\"", .string), Column("b", .int), Column("c", .bool)], key: ["b"])
    let writer = RowWriter(schema)
    let row: [Cell] = [Cell(strings.intern("x\ny")), Cell(int: -12), 1]
    func written(_ columns: [Int]) -> String {
      row.withUnsafeBufferPointer { row in
        text { writer.write(row.baseAddress!, columns: columns, strings, to: &$0) }
      }
    }
    #expect(written([0, 1, 2]) == #"{"a\"":"x\ny","b":-12,"c":true}"#)
    #expect(written([2, 1]) == #"{"c":true,"b":-12}"#)
    #expect(written([]) == "{}")
  }
}
