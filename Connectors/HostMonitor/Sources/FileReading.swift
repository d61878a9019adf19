import Glibc

/// The few ways in which the monitor looks at the disk.
enum FileReading {
  /// A file's bytes, at most `most` of them; nil when it cannot be read.
  static func bytes(_ path: String, most: Int = HostLimits.fileBytesMax) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while bytes.count < most {
      let n = read(file, &part, min(part.count, most - bytes.count))
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { return nil }
      if n == 0 { break }
      bytes.append(contentsOf: part[..<n])
    }
    return bytes
  }

  /// The entries of a folder whose names are numbers, at most `most`; nil when it cannot be read.
  static func numbers(in path: String, most: Int) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while names.count < most, let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) { names.append(name) }
    }
    return names
  }

  /// statvfs(3) of a path of any bytes; nil when it fails or the file system has no blocks.
  static func space(_ path: [UInt8]) -> DiskSpace? {
    var stats = statvfs()
    let status = (path + [0]).withUnsafeBytes { bytes in
      statvfs(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), &stats)
    }
    guard status == 0, stats.f_blocks > 0 else { return nil }
    let size = UInt64(stats.f_frsize)
    let used = stats.f_blocks >= stats.f_bfree ? stats.f_blocks - stats.f_bfree : 0
    return DiskSpace(used: UInt64(used) &* size, available: UInt64(stats.f_bavail) &* size)
  }
}
