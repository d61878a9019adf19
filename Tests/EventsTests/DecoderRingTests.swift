import Base
import Events
import Testing

@Suite struct DecoderRingTests {
  /// Whatever lies ahead, an event's cells and refusals are those that a decoder by itself would give.
  @Test func `a run of events is decoded as one by one`() {
    let strings = StringTable()
    let make = { EventDecoder(EventDecoderTests.schema, bytesMax: 1000, unknownFields: .keep) }
    let (ring, alone) = (DecoderRing(strings, make), make())
    let texts = (0..<200).map { n in
      switch n % 5 {
      case 0: #"{"Id":"a\#(n)","N":\#(n)}"#
      case 1: #"{"Id":"a\#(n / 10)","q":{"deep":[\#(n)]},"ExtendedAttr":"{}"}"#
      case 2: #"{"Id":"\u00e9\#(n)","X":0.5,"B":true}"#
      case 3: #"{"Id":"a","N":"x"}"#
      default: #"{"Id":"open"#
      }
    }.map { Array($0.utf8) }
    for index in 0..<texts.count + DecoderRing.ahead {
      if index < texts.count { texts[index].withUnsafeBytes { ring.decode(index, $0) } }
      let use = index - DecoderRing.ahead
      if use < 0 { continue }
      let decoder = ring[use]
      switch (decoder.outcome, texts[use].withUnsafeBytes { alone.decode($0) }) {
      case (.event, .event): expectSame(decoder, alone, strings)
      case (.refused(let a), .refused(let b)): #expect(a.description == b.description)
      default: Issue.record("event \(use)")
      }
    }
  }

  private func expectSame(_ decoder: EventDecoder, _ alone: EventDecoder, _ strings: StringTable) {
    decoder.internStrings(strings)
    #expect(Array(decoder.present) == Array(alone.present))
    for column in alone.present {
      if EventDecoderTests.schema.columns[column].type == .string {
        #expect(strings.bytes(decoder.cell(column).code).elementsEqual(alone.string(column)))
      } else {
        #expect(decoder.cell(column) == alone.cell(column))
      }
    }
  }
}
