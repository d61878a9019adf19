import Bus
import Client
import Testing

@Suite struct StreamFollowerTests {
  private func poll(_ follower: StreamFollower, _ times: Int = 100) throws -> [Int64] {
    var seqs: [Int64] = []
    for _ in 0..<times { seqs += try follower.poll(timeout: .milliseconds(10)).map(\.seq) }
    return seqs
  }

  /// Records of the new topic: fewer than were read, as many, more.
  @Test(arguments: [1, 3, 4, 9] as [Int64])
  func `where its topic was deleted and made again it begins anew in that`(count: Int64) throws {
    let stream = try Reading(cleanup: "compact")
    stream.write(1, 1...3)
    let follower = try StreamFollower(stream.address, bus: stream.cluster.connect(member: "reader"))
    defer { follower.close() }
    #expect(try poll(follower) == [1, 2, 3])
    try stream.cluster.connect(member: "admin").deleteTopics([stream.address.topic])
    #expect(try poll(follower) == [])
    #expect(follower.timesMadeAgain == 0, "it is not there yet")
    try stream.makeAgain()
    stream.write(1, 4...3 + count)
    #expect(try poll(follower) == Array(4...3 + count))
    #expect(follower.timesMadeAgain == 1)
    #expect(follower.last == 3 + count)
  }

  @Test func `records of the old topic and the new one do not come together`() throws {
    let stream = try Reading()
    stream.write(1, 1...3)
    let follower = try StreamFollower(stream.address, bus: stream.cluster.connect(member: "reader"))
    defer { follower.close() }
    #expect(try poll(follower) == [1, 2, 3])
    try stream.makeAgain()
    stream.write(2, 4...9)
    var told: [Int: [Int64]] = [:]
    for _ in 0..<100 {
      let seqs = try follower.poll(timeout: .milliseconds(10)).map(\.seq)
      told[follower.timesMadeAgain, default: []] += seqs
    }
    #expect(told == [0: [], 1: Array(4...9)])
  }

  @Test func `a stream that was made again in its lane is the same topic's`() throws {
    let stream = try Reading(prefix: "a/")
    stream.write(1, 1...3)
    stream.writeBeside()
    stream.write(4, 1...5)
    let follower = try StreamFollower(stream.address, bus: stream.cluster.connect(member: "reader"))
    defer { follower.close() }
    #expect(try poll(follower) == [1, 2, 3, 1, 2, 3, 4, 5])
    #expect(follower.timesMadeAgain == 0)
  }
}
