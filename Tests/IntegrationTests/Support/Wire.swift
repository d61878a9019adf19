import Foundation
import Glibc
import Synchronization
import Testing

/// Stands between clients and the broker, and can lose what the broker says: requests arrive, answers do not.
final class Wire: @unchecked Sendable {
  // @unchecked: the sockets are in a Mutex, the rest is atomic.
  private let listener: Int32
  private let target: Int
  private let isLosing = Atomic<Bool>(false)
  private let lost = Atomic<Int>(0)
  private let sockets = Mutex<[Int32]>([])

  /// Clients come to `port`, and are joined with `target`.
  init(port: Int, to target: Int) throws {
    self.target = target
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    let isBound = Self.with(port) { bind(listener, $0, $1) } == 0
    try #require(isBound && listen(listener, 64) == 0, "port \(port)")
    Thread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        if client < 0 { return }
        join(client)
      }
    }.start()
  }

  private static func with(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private func join(_ client: Int32) {
    let broker = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard Self.with(target, { connect(broker, $0, $1) }) == 0 else {
      Glibc.close(broker)
      Glibc.close(client)
      return
    }
    sockets.withLock { $0 += [client, broker] }
    Thread { [self] in pump(from: client, to: broker, isAnswer: false) }.start()
    Thread { [self] in pump(from: broker, to: client, isAnswer: true) }.start()
  }

  private func pump(from: Int32, to: Int32, isAnswer: Bool) {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(from, &chunk, chunk.count, 0)
      if count <= 0 { break }
      if isAnswer, isLosing.load(ordering: .relaxed) {
        lost.add(count, ordering: .relaxed)
      } else if send(to, chunk, count, Int32(MSG_NOSIGNAL)) != count {
        break
      }
    }
    shutdown(to, Int32(SHUT_RDWR))
  }

  /// Bytes of answers that were lost.
  var lostBytes: Int { lost.load(ordering: .relaxed) }

  func loseAnswers() { isLosing.store(true, ordering: .relaxed) }

  /// Cuts all connections, as a fault of the network would; on new ones answers arrive again.
  func mend() {
    isLosing.store(false, ordering: .relaxed)
    sockets.withLock { sockets in
      for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  func close() {
    shutdown(listener, Int32(SHUT_RDWR))
    Glibc.close(listener)
    mend()
  }
}
