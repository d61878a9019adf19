/// Sets that are swept together.
///
/// Groups and sets hold each other: `dissolve` lets a set that ended go.
final class LinkGroup {
  private(set) var sets: [SetEntry]
  /// The oldest of them.
  private(set) var head: SetEntry
  /// Its sets, or what they are asked for, changed since it was last looked at.
  var isStale = true

  init(_ sets: [SetEntry]) {
    self.sets = sets
    head = Self.oldest(sets)
  }

  /// The smallest interval that a living request of any of them asks for.
  var least: Int64? { sets.lazy.compactMap(\.least).min() }

  func take(from other: LinkGroup) {
    for set in other.sets { set.group = self }
    sets += other.sets
    other.sets = []
    head = Self.oldest([head, other.head])
    isStale = true
  }

  func remove(_ leaving: Set<Int64>) {
    sets.removeAll { leaving.contains($0.creation) }
    head = Self.oldest(sets)
    isStale = true
  }

  func dissolve() { sets = [] }

  private static func oldest(_ sets: [SetEntry]) -> SetEntry {
    sets.min { $0.creation < $1.creation }!
  }
}

/// Which sets are linked: a graph of sets and of the clients' link words, tied by requests.
///
/// A new tie merges two groups, the smaller into the larger. A tie that goes costs a search from its set
/// until one of the word's other sets is met, which is at once where many clients link the same sets, and
/// else as long as the side that falls off.
struct Links {
  /// The sets of each word, by creation number. Its order is seen by nobody.
  private var words: [ByteKey: [Int64: SetEntry]] = [:]

  /// Ties a set to a word once more.
  mutating func tie(_ set: SetEntry, _ word: ByteKey) {
    let ties = set.words[word, default: 0]
    set.words[word] = ties + 1
    if ties > 0 { return }
    let other = words[word]?.first?.value
    words[word, default: [:]][set.creation] = set
    guard let other, other.group !== set.group else { return }
    if other.group.sets.count >= set.group.sets.count {
      other.group.take(from: set.group)
    } else {
      set.group.take(from: other.group)
    }
  }

  /// Takes one tie away. Where the group falls apart, a set of the part that the set is no longer in.
  mutating func untie(_ set: SetEntry, _ word: ByteKey) -> SetEntry? {
    let ties = set.words[word]! - 1
    set.words[word] = ties == 0 ? nil : ties
    if ties > 0 { return nil }
    words[word]![set.creation] = nil
    guard let other = words[word]!.first?.value else {
      words[word] = nil
      return nil
    }
    guard let side = side(of: set, without: words[word]!) else { return nil }
    set.group.remove(Set(side.map(\.creation)))
    let split = LinkGroup(side)
    for set in side { set.group = split }
    return other
  }

  /// All sets that `start` is still tied to, itself included; nil when one of `others` is among them.
  private func side(of start: SetEntry, without others: [Int64: SetEntry]) -> [SetEntry]? {
    var seen: Set<Int64> = [start.creation]
    var seenWords: Set<ByteKey> = []
    var side = [start]
    var next = 0
    while next < side.count {
      for word in side[next].words.keys where seenWords.insert(word).inserted {
        for (creation, set) in words[word]! where seen.insert(creation).inserted {
          if others[creation] != nil { return nil }
          side.append(set)
        }
      }
      next += 1
    }
    return side
  }
}
