import Synchronization

/// The sink that the service gives its probes: a queue bounded in events and in bytes, from any threads
/// to one. A full or closed queue refuses.
public final class EventQueue: EventSink {
  private struct State {
    var events: [ProbeEvent] = []
    var bytes = 0
    var closed = false
  }
  /// Bytes that an event is counted with beyond its key and value.
  private static let eventOverhead = 64

  private let state = Mutex(State())
  private let eventsMax: Int
  private let bytesMax: Int
  private let wake: @Sendable () -> Void

  /// `wake` is called, outside the lock, after each event that is taken into an empty queue.
  public init(eventsMax: Int, bytesMax: Int, wake: @escaping @Sendable () -> Void = {}) {
    precondition(eventsMax > 0 && bytesMax > 0)
    self.eventsMax = eventsMax
    self.bytesMax = bytesMax
    self.wake = wake
  }

  public func send(_ event: ProbeEvent) -> Bool {
    let size = event.value.count + event.identifier.utf8.count + Self.eventOverhead
    let (taken, first) = state.withLock { state -> (Bool, Bool) in
      guard !state.closed, state.events.count < eventsMax, state.bytes + size <= bytesMax else {
        return (false, false)
      }
      state.events.append(event)
      state.bytes += size
      return (true, state.events.count == 1)
    }
    if first { wake() }
    return taken
  }

  /// All events, oldest first; does not wait.
  public func takeAll() -> [ProbeEvent] {
    state.withLock { state in
      var taken: [ProbeEvent] = []
      swap(&taken, &state.events)
      state.bytes = 0
      return taken
    }
  }

  /// No more events are taken; those inside can still be fetched.
  public func close() {
    state.withLock { $0.closed = true }
  }
}
