import Base
import Events
import Testing

@testable import Notifier
@testable import Requests

@Suite struct ProgressTests {
  private func progress(_ records: KeyValuePairs<String, String>) throws -> Progress {
    var progress = Progress()
    for (key, value) in records { progress.restore(key: key, value: try JSON(parsing: value)) }
    return progress
  }

  @Test func `what is written is what is restored`() throws {
    let state = StreamState(epoch: 4, seq: 17, creation: 2)
    var restored = Progress()
    restored.restore(
      key: "a", value: Progress.record(state, sweep: 9, time: Timestamp(milliseconds: 1_234)))
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
    progress.restore(key: "gone", value: nil)
    let living = [stream("b", creation: 1).place, stream("c", creation: 7).place]
    #expect(progress.leftOver(living) == ["a", "c"])
  }
}
