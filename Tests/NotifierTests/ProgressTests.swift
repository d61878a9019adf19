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

  @Test func `counts of streams that do not live are forgotten, their epochs are not`() {
    var progress = Progress()
    progress.set("a", StreamState(epoch: 5, seq: 9, creation: 1))
    progress.set("b", StreamState(epoch: 6, seq: 9, creation: 2))
    progress.set("c", StreamState(epoch: 6, seq: 9, creation: 3))
    progress.forgetCounts(except: [stream("b", creation: 2).place, stream("c", creation: 4).place])
    #expect(progress.streams["a"] == StreamState(epoch: 5, seq: 0, creation: 1))
    #expect(progress.streams["b"] == StreamState(epoch: 6, seq: 9, creation: 2))
    #expect(progress.streams["c"] == StreamState(epoch: 6, seq: 0, creation: 3))
  }
}
