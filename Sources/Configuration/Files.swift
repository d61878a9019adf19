import Glibc

/// A file of the disk, for `Configuration.load`. Throws what the operating system says, and refuses what
/// is larger than `bytesMax`, so that a device without end is not read for ever. Blocks.
@Sendable public func readFile(_ path: String, _ bytesMax: Int) throws(Diagnostic) -> [UInt8] {
  let place = Place(source: path)
  func failure() -> Diagnostic { Diagnostic(place, String(cString: strerror(errno))) }
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { throw failure() }
  defer { close(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 64 << 10)
  while true {
    let count = read(file, &chunk, chunk.count)
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else { throw failure() }
    if count == 0 { return bytes }
    bytes += chunk[..<count]
    guard bytes.count <= bytesMax else {
      throw Diagnostic(place, "larger than \(bytesMax) bytes, which is the limit")
    }
  }
}
