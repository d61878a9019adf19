/// The known word that `word` was most likely meant to be: the one with the fewest edits, when those
/// are at most a third of its length (and at least one is allowed). Words over 64 characters have none.
public func nearest(_ word: String, of known: [String]) -> String? {
  let wordMax = 64
  guard word.unicodeScalars.count <= wordMax else { return nil }
  let lower = word.lowercased()
  let ranked = known.map { (word: $0, edits: edits(lower, $0.lowercased())) }
  guard let best = ranked.min(by: { $0.edits < $1.edits }) else { return nil }
  return best.edits <= max(1, best.word.count / 3) ? best.word : nil
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
private func edits(_ from: String, _ to: String) -> Int {
  let a = Array(from.unicodeScalars)
  let b = Array(to.unicodeScalars)
  var rows = [Array(0...b.count)]
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var least = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
      row.append(least)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}
