/// Why a text is no interval.
struct IntervalError: Error {
  let message: String
}

private let units: [(name: String, milliseconds: Int64)] = [
  ("ms", 1), ("millisecond", 1), ("second", 1000), ("minute", 60_000), ("hour", 3_600_000),
  ("day", 86_400_000),
]

/// `5 minutes` in ms: a whole number and a unit, in the singular or the plural, in any case.
func milliseconds(ofInterval text: [UInt8]) throws(IntervalError) -> Int64 {
  let words = String(decoding: text, as: UTF8.self).split { $0 == " " || $0 == "\t" }
  guard words.count == 2 else {
    throw IntervalError(message: "an interval is a number and a unit, such as '5 minutes'")
  }
  guard let count = Int64(words[0]) else {
    throw IntervalError(message: "an interval begins with a whole number, and \(shortened(words[0])) is none")
  }
  var word = words[1].lowercased()
  if word.hasSuffix("s") && word != "ms" { word.removeLast() }
  guard let unit = units.first(where: { $0.name == word }) else {
    let names = units.map { $0.name == "ms" ? $0.name : $0.name + "s" }
    throw IntervalError(
      message:
        "\(shortened(words[1])) is no unit of an interval\(suggestion(for: String(words[1]), among: names))"
        + "; there are \(names.joined(separator: ", "))")
  }
  let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
  if overflow { throw IntervalError(message: "the interval has more milliseconds than a 64-bit integer") }
  return milliseconds
}

private func shortened(_ word: Substring) -> String {
  word.count <= 32 ? String(word) : word.prefix(32) + "…"
}
