import FrontDoor
import Testing

@Suite struct ScreenTests {
  private static let parts = [
    ScreenPart(["title"]), ScreenPart(["hint 1", "hint 2"], rank: 3),
    ScreenPart(["", "counters", "c1", "c2", "c3"], rank: 2, least: 3),
    ScreenPart(["", "rows", "r1", "r2", "r3", "r4"], rank: 1, least: 4), ScreenPart(["foot"]),
  ]

  @Test func `where all has room all is shown in its order`() {
    #expect(screen(Self.parts, height: 15) == Self.parts.flatMap(\.lines))
  }

  @Test func `what is cut off is announced, and the more important part is cut last`() {
    let lines = ["title", "hint 1", "hint 2", "", "counters", "… 3 more"]
    #expect(screen(Self.parts, height: 13) == lines + ["", "rows", "r1", "r2", "r3", "r4", "foot"])
    #expect(screen(Self.parts, height: 11) == lines + ["", "rows", "r1", "… 3 more", "foot"])
  }

  @Test func `on a small screen whole parts go`() {
    #expect(
      screen(Self.parts, height: 10)
        == ["title", "", "counters", "… 3 more", "", "rows", "r1", "r2", "… 2 more", "foot"])
    #expect(screen(Self.parts, height: 6) == ["title", "", "rows", "r1", "… 3 more", "foot"])
    #expect(screen(Self.parts, height: 2) == ["title", "foot"])
    for height in 0...20 { #expect(screen(Self.parts, height: height).count <= height) }
  }
}
