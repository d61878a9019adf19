import Foundation
import Glibc
import Testing

/// A pseudo-terminal with a program in it.
final class Terminal {
  let child: Child
  private let descriptor: Int32
  private var bytes: [UInt8] = []

  init(
    _ program: String, _ arguments: [String], columns: UInt16 = 120, rows: UInt16 = 40, kind: String = "xterm"
  ) throws {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    var (master, slave): (Int32, Int32) = (-1, -1)
    var name = [CChar](repeating: 0, count: 128)
    try #require(openpty(&master, &slave, &name, nil, &size) == 0, "no pseudo-terminal")
    close(slave)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    _ = fcntl(master, F_SETFD, FD_CLOEXEC)
    descriptor = master
    let device = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    child = try Child(program, arguments, environment: ["TERM": kind], terminal: device)
  }

  deinit { close(descriptor) }

  /// All that the program has written so far.
  var written: String {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The screen since it was last drawn from its upper left corner, without what colours and clears.
  var screen: String {
    let last = written.components(separatedBy: "\u{1B}[H").dropFirst().dropLast().last ?? ""
    return last.replacingOccurrences(of: "\u{1B}\\[[0-9;]*[A-Za-z]", with: "", options: .regularExpression)
  }

  /// How often it was drawn.
  var drawings: Int { written.components(separatedBy: "\u{1B}[H").count - 1 }

  /// As if typed.
  func type(_ text: String) { _ = write(descriptor, text, text.utf8.count) }
}
