import Base
import Synchronization

/// Serves what the clients of a bus have to say besides messages (errors, statistics, delivery reports), on a
/// thread of its own: nothing piles up in a client that its owner does not poll for a while, such as an idle
/// producer or a consumer that restores a large table, and errors are told as they come.
final class KafkaEvents: Sendable {
  private let clients = Clients()
  private let stopping = Signal()
  private let thread: JoinedThread?

  private final class Clients: Sendable {
    struct Held {
      weak var client: KafkaClient?
    }
    let all = Mutex<[Held]>([])

    func serve() {
      let living = all.withLock { held in
        held.removeAll { $0.client == nil }
        return held.compactMap(\.client)
      }
      for client in living { client.serve() }
    }
  }

  /// How late an error or a report may be told.
  private static let pause = Duration.milliseconds(100)

  init() throws(BusError) {
    thread = JoinedThread { [clients, stopping] in
      while !stopping.wait(atMost: Self.pause) { clients.serve() }
    }
    if thread == nil { throw BusError(.recreate, code: "THREAD", "the machine has no more threads to give") }
  }

  deinit { stop() }

  func add(_ client: KafkaClient) {
    clients.all.withLock { $0.append(Clients.Held(client: client)) }
  }

  func stop() {
    stopping.raise()
    thread?.join()
  }
}
