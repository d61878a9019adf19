import Base
import Events
import Testing

@Suite struct EventDecoderTests {
  static let schema = Schema(
    table: "t",
    columns: [
      Column("Id", .string), Column("N", .int), Column("X", .real), Column("B", .bool), Column("T", .time),
      Column("ExtendedAttr", .string),
    ], key: ["Id"])

  /// What the decoder makes of a text, as text: `Column=value …` in the schema's order, or the refusal.
  static func read(
    _ text: String, _ unknown: EventDecoder.UnknownFields = .keep, schema: Schema = schema,
    bytesMax: Int = 1000
  ) -> String {
    let decoder = EventDecoder(schema, bytesMax: bytesMax, unknownFields: unknown)
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBytes { bytes in
      if case .refused(let refusal) = decoder.decode(bytes) { return refusal.description }
      return schema.columns.indices.filter { decoder.isPresent($0) }.map { column in
        let name = schema.columns[column].name
        return switch schema.columns[column].type {
        case .string: "\(name)=\(String(decoding: decoder.string(column), as: UTF8.self))"
        case .real: "\(name)=\(decoder.cell(column).real)"
        default: "\(name)=\(decoder.cell(column).int)"
        }
      }.joined(separator: " ")
    }
  }

  @Test(
    arguments: [
      (#"{"Id":"a","N":3,"X":1.5,"B":true,"T":17}"#, "Id=a N=3 X=1.5 B=1 T=17"),
      (#"{"Id":"a","N":null,"B":false}"#, "Id=a B=0"),
      (#"{"Id":"a","N":4.0,"X":2,"T":1e3}"#, "Id=a N=4 X=2.0 T=1000"),
      (#"{"Id":"a","X":-0.0}"#, "Id=a X=0.0"),
      (#"{"Id":"a","N":1,"N":2}"#, "Id=a N=2"),
      (#"{"Id":"a","N":-9223372036854775808}"#, "Id=a N=-9223372036854775808"),
    ])
  func `fields become cells of their column's type`(text: String, expected: String) {
    #expect(Self.read(text) == expected)
  }
}
