import Base
import Events
import Testing

@testable import Notifier
@testable import Requests

@Suite struct ProgressTests {
  private func progress(_ records: KeyValuePairs<String, String>) throws -> Progress {
    var progress = Progress()
    for (key, value) in records {
      let json = try JSON(parsing: value)
      let isBelieved = progress.restore(key: key, value: json, now: Timestamp(milliseconds: 2_000))
      #expect(isBelieved)
    }
    return progress
  }

  @Test func `what is written is what is restored`() throws {
    let state = StreamState(epoch: 4, seq: 17, creation: 2)
    var restored = Progress()
    let time = Timestamp(milliseconds: 1_234)
    let isBelieved = restored.restore(
      key: "a", value: Progress.record(state, sweep: 9, time: time), now: time)
    #expect(isBelieved)
    #expect(restored.streams == ["a": state])
    #expect(restored.sweep == 9)
    #expect(restored.epoch == 4)
    #expect(restored.time.milliseconds == 1_234)
  }

  @Test func `the last record of a stream counts, and the largest sweep, epoch and time of any`() throws {
    let restored = try progress([
      "a": #"{"epoch":2,"seq":10,"sweep":5,"creation":1,"time":900}"#,
      "*/belfry.publish": #"{"sweep":8,"epoch":3,"time":1000}"#,
      "b": #"{"epoch":1,"seq":3,"sweep":2,"creation":2,"time":100}"#,
      "a": #"{"epoch":3,"seq":11,"sweep":7,"creation":1,"time":950}"#,
    ])
    #expect(restored.streams["a"] == StreamState(epoch: 3, seq: 11, creation: 1))
    #expect(restored.streams.keys.sorted() == ["a", "b"])
    #expect(restored.sweep == 8)
    #expect(restored.epoch == 3)
    #expect(restored.time.milliseconds == 1_000)
  }

  @Test func `a record that says nothing, or the wrong things, counts as nothing`() throws {
    let restored = try progress(["a": "{}", "b": "[]", "c": #"{"epoch":"x","seq":1.5,"sweep":null}"#])
    #expect(restored.sweep == 0)
    #expect(restored.epoch == 0)
    #expect(restored.streams["a"] == StreamState(epoch: 0, seq: 0, creation: 0))
    #expect(restored.streams["c"] == StreamState(epoch: 0, seq: 0, creation: 0))
  }

  @Test(arguments: ["epoch", "seq", "sweep", "creation"], [-1, Int64.min, Int64.max / 2, Int64.max])
  func `a number that nothing can have counted up to is not believed`(field: String, number: Int64) throws {
    var restored = try progress(["s": #"{"epoch":2,"seq":10,"sweep":5,"creation":1,"time":900}"#])
    let hostile = JSON.object(of: ["epoch": .int(3), "seq": .int(11), "sweep": .int(6), "creation": .int(1)])
    let members = hostile.members!.map { $0.name == field ? JSON.Member($0.name, .int(number)) : $0 }
    for key in ["s", "*/belfry.publish"] {
      let isBelieved = restored.restore(key: key, value: .object(members), now: .zero)
      #expect(!isBelieved)
    }
    #expect(restored.epoch == 2)
    #expect(restored.sweep == 5)
    #expect(restored.streams["s"] == StreamState(epoch: 2, seq: 10, creation: 1))
  }

  @Test func `a time far ahead of the clock does not count, what else its record says does`() {
    var restored = Progress()
    let now = Timestamp(milliseconds: 1_000)
    let state = StreamState(epoch: 4, seq: 17, creation: 2)
    for time in [now, now + .seconds(3_600), now + .seconds(3_601), Timestamp(milliseconds: .max)] {
      let isBelieved = restored.restore(
        key: "s", value: Progress.record(state, sweep: 9, time: time), now: now)
      #expect(isBelieved)
    }
    #expect(restored.time == now + .seconds(3_600))
    #expect(restored.streams["s"] == state)
  }

  @Test func `a count belongs to one life of a stream`() {
    var progress = Progress()
    progress.set("s", StreamState(epoch: 1, seq: 9, creation: 4))
    #expect(progress.seq(stream("s", creation: 4).place) == 9)
    #expect(progress.seq(stream("s", creation: 5).place) == 0)
    #expect(progress.seq(stream("t", creation: 4).place) == 0)
  }

  @Test func `a stream that ends is remembered only where its next life needs a higher epoch`() {
    var progress = Progress()
    progress.set("a", StreamState(epoch: 5, seq: 9, creation: 1))
    progress.set("b", StreamState(epoch: 6, seq: 9, creation: 2))
    for id in ["a", "b", "never"] { progress.end(id, epoch: 6) }
    #expect(progress.streams == [:])
    #expect(progress.ended == ["b"])
    progress.epochRose()
    #expect(progress.ended == [])
  }

  @Test func `records of no living stream are left over, of a former life too; nulls are none`() {
    var progress = Progress()
    for (n, id) in ["c", "b", "a", "gone"].enumerated() {
      progress.set(id, StreamState(epoch: 5, seq: 9, creation: Int64(n)))
    }
    let isBelieved = progress.restore(key: "gone", value: nil, now: .zero)
    #expect(isBelieved)
    let living = [stream("b", creation: 1).place, stream("c", creation: 7).place]
    #expect(progress.leftOver(living) == ["a", "c"])
  }
}
