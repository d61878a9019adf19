import Base

/// The dictionary of a table's strings: each distinct string once, known by a code.
///
/// Rows hold codes, so equality is one comparison of integers. A code is counted: `intern` and `retain`
/// take a share, `release` gives it back, and a string that nobody holds is freed and its code used
/// again. Code 0 is the empty string and is never freed. One thread owns a table and all its strings.
public final class StringTable {
  public typealias Code = UInt32

  private struct Entry {
    var bytes: UnsafeMutableRawPointer?
    var count: UInt32
    var hash: UInt32
    var shares: UInt32
  }

  private var entries: [Entry] = [Entry(bytes: nil, count: 0, hash: 0, shares: 1)]
  private var free: [Code] = []
  /// Open addressing, linear probing; 0 is an empty place (the empty string is never in it).
  private var places: [Code] = Array(repeating: 0, count: 1024)
  private var used = 0
  /// Bytes of all strings held.
  public private(set) var bytesHeld = 0

  public init() {}

  deinit { for entry in entries { entry.bytes?.deallocate() } }

  /// Distinct strings held, the empty one not counted.
  public var count: Int { used }
  /// One more than the largest code in use.
  public var codeLimit: Int { entries.count }

  /// The string's bytes (UTF-8). Valid until the code's last share is released.
  @inline(__always)
  public func bytes(_ code: Code) -> UnsafeRawBufferPointer {
    entries.withUnsafeBufferPointer { entries in
      let entry = entries[Int(code)]
      return UnsafeRawBufferPointer(start: UnsafeRawPointer(entry.bytes), count: Int(entry.count))
    }
  }

  public func string(_ code: Code) -> String { String(decoding: bytes(code), as: UTF8.self) }

  /// The code of a string, made if it is new; one share is the caller's.
  public func intern(_ string: UnsafeRawBufferPointer) -> Code {
    if string.count == 0 { return 0 }
    let hash = Self.hash(string)
    var place = find(string, hash)
    if places[place] != 0 {
      let code = places[place]
      entries[Int(code)].shares += 1
      return code
    }
    if (used + 1) * 4 > places.count * 3 {
      grow()
      place = find(string, hash)
    }
    let copy = UnsafeMutableRawPointer.allocate(byteCount: string.count, alignment: 1)
    copy.copyMemory(from: string.baseAddress!, byteCount: string.count)
    let entry = Entry(bytes: copy, count: UInt32(string.count), hash: hash, shares: 1)
    let code: Code
    if let again = free.popLast() {
      code = again
      entries[Int(code)] = entry
    } else {
      code = Code(entries.count)
      entries.append(entry)
    }
    places[place] = code
    used += 1
    bytesHeld += string.count
    return code
  }

  public func intern(_ string: String) -> Code {
    var string = string
    return string.withUTF8 { intern(UnsafeRawBufferPointer($0)) }
  }

  /// The code of a string that is held, without taking a share; nil if nobody holds it.
  public func code(of string: UnsafeRawBufferPointer) -> Code? {
    if string.count == 0 { return 0 }
    let code = places[find(string, Self.hash(string))]
    return code == 0 ? nil : code
  }

  @inline(__always)
  public func retain(_ code: Code) {
    if code != 0 { entries[Int(code)].shares += 1 }
  }

  @inline(__always)
  public func release(_ code: Code) {
    if code == 0 { return }
    entries[Int(code)].shares -= 1
    if entries[Int(code)].shares == 0 { drop(code) }
  }

  /// Byte order, which for UTF-8 is the order of code points and SQLite's BINARY collation.
  public func compare(_ a: Code, _ b: Code) -> Int {
    a == b ? 0 : compareBytes(bytes(a), bytes(b))
  }

  private func find(_ string: UnsafeRawBufferPointer, _ hash: UInt32) -> Int {
    let mask = places.count - 1
    var place = Int(hash) & mask
    while places[place] != 0 {
      let entry = entries[Int(places[place])]
      if entry.hash == hash, Int(entry.count) == string.count,
        compareBytes(UnsafeRawBufferPointer(start: entry.bytes, count: string.count), string) == 0
      {
        return place
      }
      place = (place + 1) & mask
    }
    return place
  }

  private func grow() {
    let old = places
    places = Array(repeating: 0, count: old.count * 2)
    let mask = places.count - 1
    for code in old where code != 0 {
      var place = Int(entries[Int(code)].hash) & mask
      while places[place] != 0 { place = (place + 1) & mask }
      places[place] = code
    }
  }

  /// Frees the string and closes the hole in its probe run (Knuth 6.4, algorithm R).
  private func drop(_ code: Code) {
    let entry = entries[Int(code)]
    let mask = places.count - 1
    var hole = Int(entry.hash) & mask
    while places[hole] != code { hole = (hole + 1) & mask }
    var next = (hole + 1) & mask
    while places[next] != 0 {
      let home = Int(entries[Int(places[next])].hash) & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        places[hole] = places[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    places[hole] = 0
    entry.bytes?.deallocate()
    bytesHeld -= Int(entry.count)
    used -= 1
    entries[Int(code)] = Entry(bytes: nil, count: 0, hash: 0, shares: 0)
    free.append(code)
  }

  /// Eight bytes a step (the mixing of wyhash's family); the order of hashing never reaches the outside.
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var hash = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
    var at = 0
    while at + 8 <= bytes.count {
      hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      at += 8
    }
    var rest: UInt64 = 0
    while at < bytes.count {
      rest = rest << 8 | UInt64(bytes[at])
      at += 1
    }
    hash = mix(hash ^ rest)
    return UInt32(truncatingIfNeeded: hash ^ (hash >> 32))
  }

  @inline(__always)
  private static func mix(_ x: UInt64) -> UInt64 {
    let (high, low) = x.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return high ^ low
  }
}
