import Base
import Events
import Query

/// What queries at the doors are about.
struct Tables: Catalog {
  let tableNames = ["alerts"]
  func schema(ofTable name: String) -> Schema? { name == "alerts" ? .alerts : nil }
}

/// Bytes that nobody should send: random ones, pieces of a language in any order, and examples with faults.
struct HostileInput {
  let examples: [String]
  let pieces: [String]

  func make(_ random: inout SeededRandom) -> [UInt8] {
    switch Int.random(in: 0..<6, using: &random) {
    case 0:
      return (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
      }
    case 1:
      return (0..<Int.random(in: 0..<30, using: &random)).flatMap { _ in
        pieces.randomElement(using: &random)!.utf8
      }
    default:
      var bytes = Array(examples.randomElement(using: &random)!.utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) { spoil(&bytes, &random) }
      return bytes
    }
  }

  /// The same every other time, and an example as it is.
  func makeHalf(_ random: inout SeededRandom) -> [UInt8] {
    Bool.random(using: &random) ? make(&random) : Array(examples.randomElement(using: &random)!.utf8)
  }

  private func spoil(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
    let at = Int.random(in: 0...bytes.count, using: &random)
    let end = min(bytes.count, at + Int.random(in: 0...12, using: &random))
    switch Int.random(in: 0..<6, using: &random) {
    case 0 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &random)
    case 1: bytes.removeSubrange(at..<end)
    case 2: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
    case 3: bytes.replaceSubrange(at..<end, with: pieces.randomElement(using: &random)!.utf8)
    case 4:
      let piece = Array(pieces.randomElement(using: &random)!.utf8)
      let run = repeatElement(piece, count: Int.random(in: 1...200, using: &random)).joined()
      bytes.insert(contentsOf: run, at: at)
    default: bytes.insert(contentsOf: pieces.randomElement(using: &random)!.utf8, at: at)
    }
  }
}
