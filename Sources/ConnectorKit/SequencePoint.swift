import Base

/// A record's number in its stream, and the term of who published it (docs/bus-contract.md, "Streams"). In the
/// order of their publishing: by epoch, then by number.
public struct SequencePoint: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let epoch: Int64
  public let seq: Int64

  /// nil where no publisher counts so: both begin at 1.
  public init?(epoch: Int64, seq: Int64) {
    guard epoch >= 1, epoch.isCount, seq >= 1, seq.isCount else { return nil }
    self.epoch = epoch
    self.seq = seq
  }

  /// From the bytes of `belfry-epoch` and `belfry-seq`; nil where one is missing, or no such number in decimal
  /// digits.
  public init?(epoch: UnsafeRawBufferPointer?, seq: UnsafeRawBufferPointer?) {
    guard let epoch = epoch.flatMap(Self.number), let seq = seq.flatMap(Self.number) else { return nil }
    self.init(epoch: epoch, seq: seq)
  }

  /// Digits of the largest 64-bit number.
  private static let digitsMax = 19

  private static func number(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    guard (1...digitsMax).contains(bytes.count) else { return nil }
    var number: Int64 = 0
    for byte in bytes {
      let digit = byte &- UInt8(ascii: "0")
      let (tens, isOver) = number.multipliedReportingOverflow(by: 10)
      let (sum, isBeyond) = tens.addingReportingOverflow(Int64(digit))
      guard digit <= 9, !isOver, !isBeyond else { return nil }
      number = sum
    }
    return number
  }

  public static func < (a: SequencePoint, b: SequencePoint) -> Bool { (a.epoch, a.seq) < (b.epoch, b.seq) }

  public var description: String { "\(epoch):\(seq)" }
}

/// How far a gateway has come in a stream: what it keeps in its own store, in the transaction of what it wrote.
/// As JSON `{"version":1,"epoch":5,"seq":8812,"offset":9120}`.
public struct StreamPosition: Hashable, Sendable {
  /// Of the last record that counts as taken.
  public let point: SequencePoint
  /// Where that record lies in its partition. A hint, which spares reading from the beginning: what it says is
  /// checked, so that it may be wrong or missing.
  public let offset: Int64?

  public init(_ point: SequencePoint, offset: Int64? = nil) {
    self.point = point
    self.offset = offset
  }
}

extension StreamPosition: Codable {
  private static let version = 1

  private enum CodingKeys: String, CodingKey {
    case version, epoch, seq, offset
  }

  /// Throws `DecodingError` for another version's text, and for counts that cannot be.
  public init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: CodingKeys.self)
    let version = try members.decode(Int.self, forKey: .version)
    guard version == Self.version else {
      throw DecodingError.dataCorruptedError(
        forKey: .version, in: members, debugDescription: "version \(version), known is \(Self.version)")
    }
    let (epoch, seq) = (
      try members.decode(Int64.self, forKey: .epoch), try members.decode(Int64.self, forKey: .seq)
    )
    guard let point = SequencePoint(epoch: epoch, seq: seq) else {
      throw DecodingError.dataCorruptedError(
        forKey: .seq, in: members, debugDescription: "no record has epoch \(epoch) and seq \(seq)")
    }
    self.init(point, offset: try members.decodeIfPresent(Int64.self, forKey: .offset))
  }

  public func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: CodingKeys.self)
    try members.encode(Self.version, forKey: .version)
    try members.encode(point.epoch, forKey: .epoch)
    try members.encode(point.seq, forKey: .seq)
    try members.encodeIfPresent(offset, forKey: .offset)
  }
}
