import Base
import ConnectorKit
import Synchronization
import Testing

private func event(_ bytes: Int) -> ProbeEvent {
  ProbeEvent(identifier: "", value: [UInt8](repeating: 0x20, count: bytes), time: .zero)
}

@Test func `a queue refuses beyond its events, beyond its bytes and when closed`() {
  let few = EventQueue(eventsMax: 2, bytesMax: 1_000_000)
  #expect([few.send(event(1)), few.send(event(1)), few.send(event(1))] == [true, true, false])
  #expect(few.takeAll().count == 2)
  #expect(few.send(event(1)))
  let small = EventQueue(eventsMax: 100, bytesMax: 1000)
  #expect([small.send(event(900)), small.send(event(900))] == [true, false])
  #expect(small.takeAll().count == 1)
  #expect(small.send(event(900)))
  small.close()
  _ = small.takeAll()
  #expect(!small.send(event(1)))
}

@Test func `a queue wakes its taker once for a batch`() {
  final class Count: Sendable { let n = Atomic<Int>(0) }
  let count = Count()
  let queue = EventQueue(eventsMax: 9, bytesMax: 9999) { count.n.add(1, ordering: .relaxed) }
  _ = queue.send(event(1))
  _ = queue.send(event(1))
  #expect(count.n.load(ordering: .relaxed) == 1)
  _ = queue.takeAll()
  _ = queue.send(event(1))
  #expect(count.n.load(ordering: .relaxed) == 2)
}

@Test func `what a full queue refuses is counted with its reason`() {
  let metrics = Metrics()
  let queue = EventQueue(eventsMax: 1, bytesMax: 9999)
  let telemetry = ProbeTelemetry(
    ProbeContext(
      name: "p", sink: queue, clock: SystemClock(), metrics: metrics, log: .silent, hostName: "here"))
  #expect(telemetry.deliver(event(1)))
  #expect(!telemetry.deliver(event(1)))
  #expect(metrics.value("belfry_connector_events_total", [("connector", "p")]) == 1)
  #expect(
    metrics.value("belfry_connector_rejected_total", [("connector", "p"), ("reason", "full")]) == 1)
}
