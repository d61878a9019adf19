import Testing

@testable import Bus

@Suite struct RepeatedWordsTests {
  private static func refused(_ broker: String, after milliseconds: Int) -> String {
    "\(broker)/bootstrap: Connect to ipv4#\(broker) failed: Connection refused"
      + " (after \(milliseconds)ms in state CONNECT)"
  }

  @Test func `the same words are logged once in the interval, with how often they were held back`() {
    let words = RepeatedWords()
    #expect(words.take(Self.refused("a:1", after: 0), at: .seconds(1)) == 0)
    for second in 2..<7 {
      #expect(words.take(Self.refused("a:1", after: second), at: .seconds(second)) == nil)
    }
    #expect(words.take(Self.refused("a:1", after: 0), at: .seconds(61)) == 5)
    #expect(words.take(Self.refused("a:1", after: 0), at: .seconds(62)) == nil)
  }

  @Test func `another broker, or another reason, is news`() {
    let words = RepeatedWords()
    #expect(words.take(Self.refused("a:1", after: 0), at: .zero) == 0)
    #expect(words.take(Self.refused("b:1", after: 0), at: .zero) == 0)
    #expect(words.take("a:1/bootstrap: Disconnected (after 3ms in state UP)", at: .zero) == 0)
  }

  @Test func `what is remembered has a limit`() {
    let words = RepeatedWords()
    for number in 0..<RepeatedWords.wordsMax {
      #expect(words.take("words \(number)", at: .seconds(number < 100 ? 0 : 30)) == 0)
    }
    #expect(words.take("new", at: .seconds(61)) == 0)
    // Of the old ones only those were forgotten whose time was over.
    #expect(words.take("words 150", at: .seconds(62)) == nil)
    #expect(words.take("words 50", at: .seconds(62)) == 0)
  }
}
