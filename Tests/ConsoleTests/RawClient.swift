import Console
import Glibc

/// A client that sends whatever bytes it is told to.
final class RawClient: @unchecked Sendable {
  // @unchecked: a descriptor; each test uses it from one thread at a time.
  private var file: Int32

  /// Nil where nobody listens. `from`: the client's own address, of IPv4.
  init?(port: Int, ipv6: Bool = false, from: String? = nil) {
    file = socket(ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var four = sockaddr_in()
    four.sin_family = sa_family_t(AF_INET)
    four.sin_port = UInt16(port).bigEndian
    inet_pton(AF_INET, "127.0.0.1", &four.sin_addr)
    var six = sockaddr_in6()
    six.sin6_family = sa_family_t(AF_INET6)
    six.sin6_port = UInt16(port).bigEndian
    inet_pton(AF_INET6, "::1", &six.sin6_addr)
    func connected<Address>(_ address: inout Address) -> Bool {
      withUnsafeBytes(of: &address) {
        connect(file, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) == 0
      }
    }
    if let from {
      var own = sockaddr_in()
      own.sin_family = sa_family_t(AF_INET)
      inet_pton(AF_INET, from, &own.sin_addr)
      withUnsafeBytes(of: &own) {
        _ = bind(file, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
      }
    }
    guard ipv6 ? connected(&six) : connected(&four) else {
      close()
      return nil
    }
  }

  deinit { close() }

  func close() {
    if file >= 0 { Glibc.close(file) }
    file = -1
  }

  /// False when the other side has closed.
  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes {
        Glibc.send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard sent > 0 else { return false }
      rest = rest.dropFirst(sent)
    }
    return true
  }

  /// Everything until the other side closes.
  func readToEnd() -> String {
    var result: [UInt8] = []
    while let more = readSome() { result += more }
    return String(decoding: result, as: UTF8.self)
  }

  func readUntil(_ end: String) -> String {
    var result: [UInt8] = []
    while !String(decoding: result, as: UTF8.self).contains(end), let more = readSome() { result += more }
    return String(decoding: result, as: UTF8.self)
  }

  private func readSome() -> [UInt8]? {
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    let count = recv(file, &chunk, chunk.count, 0)
    return count > 0 ? Array(chunk[..<count]) : nil
  }
}

/// One request on a connection of its own, `Connection: close`; the whole answer.
func ask(
  _ server: HTTPServer, _ target: String, method: String = "GET", headers: String = "", body: String? = nil,
  ipv6: Bool = false, from: String? = nil
) -> String {
  guard let client = RawClient(port: server.port, ipv6: ipv6, from: from) else { return "" }
  let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
  client.send(
    "\(method) \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(headers)\(length)\r\n\(body ?? "")")
  // Else the server could stop as soon as its port is known.
  return withExtendedLifetime(server) { client.readToEnd() }
}

/// The status of an answer, 0 where there is none.
func status(_ answer: String) -> Int {
  answer.hasPrefix("HTTP/1.1 ") ? Int(answer.dropFirst(9).prefix(3)) ?? 0 : 0
}

/// What follows the headers.
func body(_ answer: String) -> String {
  answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) } ?? ""
}
