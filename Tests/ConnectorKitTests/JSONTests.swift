import Base
import ConnectorKit
import Foundation
import Testing

private func parsed(_ json: JSONObjectWriter) throws -> [String: Any] {
  try #require(try JSONSerialization.jsonObject(with: Data(json.finished())) as? [String: Any])
}

@Test func `an object is written exactly`() {
  var json = JSONObjectWriter()
  #expect(json.text() == "{}" && json.isEmpty)
  json.string("a", "x\"\\\n\r\t\u{1}\u{7f}é")
  json.integer("b", .min)
  json.real("c", 0.5)
  json.real("d", .nan)
  json.bool("e", true)
  json.strings("f", ["1", "2"])
  var inner = JSONObjectWriter()
  inner.integer("h", 1)
  json.object("g", inner)
  #expect(
    json.text() == #"{"a":"x\"\\\n\r\t\u0001"# + "\u{7f}é\""
      + #","b":-9223372036854775808,"c":0.5,"d":null,"e":true,"f":["1","2"],"g":{"h":1}}"#)
}

@Test func `bytes that are not UTF-8 and zeros become replacement characters`() throws {
  var json = JSONObjectWriter()
  json.string("a", repairing: [0x61, 0xff, 0x00, 0xc3, 0x62])
  #expect(json.text() == "{\"a\":\"a\u{FFFD}\u{FFFD}\u{FFFD}b\"}")
}

@Test func `any bytes make a valid object`() throws {
  var random = SeededRandom(seed: 1)
  for _ in 0..<2000 {
    let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
      UInt8.random(in: 0...255, using: &random)
    }
    var json = JSONObjectWriter()
    json.string("a", repairing: bytes)
    json.real("b", Double(bitPattern: UInt64.random(in: .min ... .max, using: &random)))
    let object = try parsed(json)
    let expected = String(decoding: bytes, as: UTF8.self).replacing("\0", with: "\u{FFFD}")
    #expect(object["a"] as? String == expected)
  }
}

@Test func `an alert has the columns of the table`() throws {
  var alert = Alert(
    identifier: "i", node: "n", manager: "m", alertGroup: "g", alertKey: "k", severity: .major,
    type: .problem,
    summary: "s", first: Timestamp(milliseconds: 1), last: Timestamp(milliseconds: 2))
  alert.extendedAttributes.integer("x", 1)
  alert.defaults.location = "hall"
  let event = alert.event()
  #expect(event.identifier == "i" && event.time == Timestamp(milliseconds: 2))
  #expect(
    String(decoding: event.value, as: UTF8.self)
      == #"{"Identifier":"i","Node":"n","NodeAlias":"","Manager":"m","Agent":"","AlertGroup":"g","AlertKey":"k","#
      + #""Severity":4,"Summary":"s","FirstOccurrence":1,"LastOccurrence":2,"Type":1,"Class":0,"#
      + #""Location":"hall","Service":"","ExtendedAttr":"{\"x\":1}"}"#)
}
