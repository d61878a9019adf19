import ConnectorKit
import Glibc

/// A file descriptor that is closed with its last owner.
final class Descriptor: Sendable {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  deinit { close(number) }
}

/// What a socket call came to.
enum SocketResult<Value> {
  case value(Value)
  /// Nothing there now.
  case later
  case failed(Int32)
}

/// A bound socket of the probe; never blocks.
struct Socket: Sendable {
  enum Transport: String, Sendable {
    case udp, tcp
  }

  let transport: Transport
  let descriptor: Descriptor
  let address: ListenAddress

  /// Binds, and for TCP listens.
  static func bound(_ transport: Transport, _ address: ListenAddress) throws(ConnectorError) -> Socket {
    func failed(_ reason: String) -> ConnectorError {
      ConnectorError(
        place: address.place, "syslog: cannot listen on \(transport.rawValue) \(address.text): \(reason)")
    }
    guard let numeric = NumericAddress(address.host, address.port, transport) else {
      throw failed("not a numeric IPv4 or IPv6 address")
    }
    let type = Int32(transport == .udp ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
    let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let number = socket(numeric.family, type | flags, 0)
    guard number >= 0 else { throw failed(errorText(errno)) }
    let descriptor = Descriptor(number)
    // IPv6 sockets take IPv6 only: so 0.0.0.0 and [::] can stand side by side.
    if numeric.family == AF_INET6 { set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
    if transport == .tcp {
      set(number, SOL_SOCKET, SO_REUSEADDR, 1)
    } else {
      set(number, SOL_SOCKET, SO_RCVBUF, SyslogLimits.receiveBuffer)
    }
    guard numeric.withSockaddr({ bind(number, $0, $1) }) == 0 else { throw failed(errorText(errno)) }
    guard transport == .udp || listen(number, SyslogLimits.backlog) == 0 else {
      throw failed(errorText(errno))
    }
    return Socket(transport: transport, descriptor: descriptor, address: address)
  }

  private static func set(_ number: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// The port that the socket really has: the kernel chooses one for port 0.
  var port: UInt16 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let status = withUnsafeMutableBytes(of: &storage) {
      getsockname(descriptor.number, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard status == 0 else { return 0 }
    return withUnsafeBytes(of: &storage) { bytes in
      // sin_port and sin6_port are both at offset 2, in network order.
      UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }
  }

  /// One datagram into `buffer`: its whole length, which may be more than fits, and its sender.
  func receive(_ buffer: inout [UInt8]) -> SocketResult<(length: Int, sender: String)> {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let n = withUnsafeMutableBytes(of: &storage) { from in
      recvfrom(
        descriptor.number, &buffer, buffer.count, Int32(MSG_TRUNC),
        from.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard n >= 0 else { return isLater(errno) ? .later : .failed(errno) }
    return .value((n, hostText(&storage, length)))
  }

  /// A connection that is waiting, and its sender.
  func accepted() -> SocketResult<(descriptor: Descriptor, sender: String)> {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let number = withUnsafeMutableBytes(of: &storage) { from in
      accept(descriptor.number, from.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard number >= 0 else { return isLater(errno) ? .later : .failed(errno) }
    let connection = Descriptor(number)
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    guard fcntl(number, F_SETFL, O_NONBLOCK) == 0 else { return .failed(errno) }
    return .value((connection, hostText(&storage, length)))
  }
}

extension Descriptor {
  /// Bytes that are there, into `buffer`; 0 at the stream's end.
  func read(_ buffer: inout [UInt8]) -> SocketResult<Int> {
    let n = Glibc.read(number, &buffer, buffer.count)
    if n >= 0 { return .value(n) }
    return isLater(errno) ? .later : .failed(errno)
  }
}

/// An address in numbers, as the socket calls want it.
private struct NumericAddress {
  let family: Int32
  private var storage = sockaddr_storage()
  private let length: socklen_t

  init?(_ host: String, _ port: UInt16, _ transport: Socket.Transport) {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
    hints.ai_socktype = Int32(transport == .udp ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &found) == 0, let found else { return nil }
    defer { freeaddrinfo(found) }
    family = found.pointee.ai_family
    length = found.pointee.ai_addrlen
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: found.pointee.ai_addr, count: Int(length)))
    }
  }

  func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafeBytes(of: storage) {
      body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
    }
  }
}

private func hostText(_ storage: inout sockaddr_storage, _ length: socklen_t) -> String {
  var name = [CChar](repeating: 0, count: 64)
  let status = withUnsafeBytes(of: &storage) {
    getnameinfo(
      $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), length, &name, socklen_t(name.count), nil, 0,
      NI_NUMERICHOST)
  }
  guard status == 0 else { return "unknown" }
  return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func isLater(_ code: Int32) -> Bool {
  code == EAGAIN || code == EWOULDBLOCK || code == EINTR || code == ECONNABORTED
}

func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// A pipe whose one end wakes a thread out of poll(2).
final class WakePipe: Sendable {
  let reader: Descriptor
  private let writer: Descriptor

  /// Nil when the process has no more descriptors.
  init?() {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { return nil }
    reader = Descriptor(ends[0])
    writer = Descriptor(ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  }

  /// Wakes for good: the byte is never taken out.
  func wake() {
    var byte: UInt8 = 1
    _ = write(writer.number, &byte, 1)
  }
}
