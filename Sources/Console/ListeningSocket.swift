import Glibc

/// Why a server could not start. Trying again helps once the reason is gone.
public struct ConsoleError: Error, Equatable, Sendable, CustomStringConvertible {
  public var message: String
  public var description: String { message }
}

/// A bound and listening TCP socket; closed with its value unless it is given away.
struct ListeningSocket: ~Copyable {
  let descriptor: Int32
  let port: Int

  /// Connections that wait for `accept` at most.
  private static let backlog: Int32 = 256

  /// `host` is a numeric IPv4 or IPv6 address, or `localhost` (127.0.0.1). Port 0 is any free one.
  init(host: String, port: Int) throws(ConsoleError) {
    let shown = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    guard (0...65_535).contains(port) else {
      throw ConsoleError(message: "cannot listen on \(shown): no port")
    }
    let number = UInt16(port).bigEndian
    var four = sockaddr_in()
    var six = sockaddr_in6()
    if inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &four.sin_addr) == 1 {
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = number
      descriptor = try Self.listen(&four, AF_INET, shown)
    } else if inet_pton(AF_INET6, host, &six.sin6_addr) == 1 {
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = number
      descriptor = try Self.listen(&six, AF_INET6, shown)
    } else {
      throw ConsoleError(
        message: "cannot listen on \(shown): the host must be a numeric address or localhost")
    }
    self.port = Self.port(of: descriptor)
  }

  deinit { close(descriptor) }

  private static func listen<Address>(_ address: inout Address, _ family: Int32, _ shown: String)
    throws(ConsoleError) -> Int32
  {
    func failure() -> ConsoleError {
      ConsoleError(message: "cannot listen on \(shown): \(String(cString: strerror(errno)))")
    }
    let file = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { throw failure() }
    var yes: Int32 = 1
    // A restart must not wait for the connections of the run before to be forgotten.
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    let bound = withUnsafeBytes(of: &address) { bytes in
      bind(file, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard bound == 0, Glibc.listen(file, backlog) == 0 else {
      let error = failure()
      close(file)
      throw error
    }
    return file
  }

  private static func port(of file: Int32) -> Int {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &address) { bytes in
      getsockname(file, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
      // The port stands at the same place in both families.
      return Int(UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self)))
    }
  }

  /// The descriptor, which is the caller's from now on.
  consuming func give() -> Int32 {
    let file = descriptor
    discard self
    return file
  }
}
