import Testing

@testable import Console

@Suite struct ConnectionsTests {
  private static let (a, b): ([UInt8], [UInt8]) = ([127, 0, 0, 1], [10, 0, 0, 1])

  private static func filled() -> Connections {
    var connections = Connections(max: 5, ofOneMax: 3)
    for descriptor: Int32 in 1...3 {
      #expect(connections.opened(descriptor, from: a, until: .seconds(Int(descriptor))) == nil)
    }
    return connections
  }

  @Test func `one more of an address makes its longest waiting one go, and no other's`() {
    var connections = Self.filled()
    #expect(connections.opened(4, from: Self.b, until: .zero) == nil)
    #expect(connections.opened(5, from: Self.a, until: .seconds(9)) == .init(descriptor: 1, reason: .crowded))
    // The first is cut, and not counted any more though it is still open.
    #expect(connections.opened(6, from: Self.a, until: .seconds(9)) == .init(descriptor: 2, reason: .crowded))
    connections.closed(5)
    #expect(connections.opened(7, from: Self.a, until: .seconds(9)) == nil)
  }

  @Test func `one more of all makes the longest waiting one go, whose it may be`() {
    var connections = Self.filled()
    for descriptor: Int32 in 4...5 {
      #expect(connections.opened(descriptor, from: Self.b, until: .seconds(Int(descriptor))) == nil)
    }
    #expect(connections.opened(6, from: Self.b, until: .seconds(9)) == .init(descriptor: 1, reason: .crowded))
  }

  @Test func `what is being answered is not cut, and where all is the newcomer goes`() {
    var connections = Self.filled()
    connections.answers(1)
    #expect(connections.opened(4, from: Self.a, until: .seconds(9)) == .init(descriptor: 2, reason: .crowded))
    connections.answers(3)
    connections.answers(4)
    #expect(connections.opened(5, from: Self.a, until: .seconds(9)) == .init(descriptor: 5, reason: .full))
    connections.answered(3, until: .seconds(20))
    #expect(connections.opened(6, from: Self.a, until: .seconds(9)) == .init(descriptor: 3, reason: .crowded))
  }

  @Test func `one whose time is over is told once`() {
    var connections = Self.filled()
    connections.answered(1, until: .seconds(8))
    #expect(connections.slow(at: .seconds(3)) == [.init(descriptor: 2, reason: .slow)])
    #expect(connections.slow(at: .seconds(3)) == [])
  }
}
