import Glibc

/// The tables of all trials, and the figures with their targets.
struct Report {
  let results: [TrialResult]
  /// Ascending.
  let fixedRatios: [Double]
  let growth: Growth?

  func print() {
    costs()
    streams()
    figures()
  }

  private func line(_ cells: [String], _ widths: [Int]) {
    let padded = zip(cells, widths).enumerated().map { i, pair in
      let space = String(repeating: " ", count: max(0, pair.1 - pair.0.count))
      return i == 0 ? pair.0 + space : space + pair.0
    }
    Swift.print("| " + padded.joined(separator: " | ") + " |")
  }

  private func table(_ head: [String], _ rows: [[String]]) {
    let widths = head.indices.map { i in ([head] + rows).map { $0[i].count }.max()! }
    line(head, widths)
    line(widths.map { String(repeating: "-", count: $0) }, widths)
    for row in rows { line(row, widths) }
    Swift.print()
  }

  private func costs() {
    var rows: [[String]] = []
    for result in results {
      for (kind, name) in [(Trial.Kind.update, "update"), (.insert, "insert"), (.delete, "delete")] {
        let samples = result.samples(kind)
        if samples.isEmpty { continue }
        let (belfry, scan) = (samples.mean(\.belfry), samples.mean(\.scan))
        let smart = samples.mean(\.smart)
        rows.append([
          result.mix, "\(result.filters)", name, fixed(belfry, 0), fixed(scan, 0), fixed(smart, 0),
          fixed(scan / belfry, 2), fixed(smart / belfry, 2), fixed(samples.mean { Double($0.moved) }, 1),
          few(result, kind),
        ])
      }
    }
    table(
      [
        "mix", "filters", "change", "Belfry ns", "scan ns", "smart scan ns", "scan / Belfry",
        "smart / Belfry",
        "moved", "<= 100 moved: share, ratio",
      ], rows)
  }

  private func few(_ result: TrialResult, _ kind: Trial.Kind) -> String {
    guard kind == .update, let ratio = result.fewRatio else { return "" }
    let samples = result.samples(.update)
    let share = samples.mean { $0.moved <= TrialResult.fewMoved ? 100 : 0 }
    return "\(fixed(share, 0)) %, \(fixed(ratio, 2))"
  }

  private func streams() {
    func micros(_ times: [Int64]) -> String {
      let mean = Double(times.reduce(0, +)) / Double(max(1, times.count)) / 1000
      return "\(fixed(mean, 1)) (\(fixed(Double(times.max() ?? 0) / 1000, 0)))"
    }
    func perSecond(_ times: [Int64]) -> String {
      fixed(Double(times.count) * 1e9 / Double(max(1, times.reduce(0, +))), 0)
    }
    table(
      [
        "mix", "filters", "a ns", "b ns", "bytes a filter", "add us (max)", "adds/s", "bulk adds/s",
        "drop us (max)", "drops/s", "settle us",
      ],
      results.map { result in
        [
          result.mix, "\(result.filters)", fixed(result.fixed, 0), fixed(result.perMoved, 2),
          "\(result.bytes / result.filters)", micros(result.adds), perSecond(result.adds),
          fixed(Double(result.filters) * 1e9 / Double(max(1, result.bulkAdd)), 0), micros(result.drops),
          perSecond(result.drops), fixed(result.settling / 1000, 1),
        ]
      })
  }

  // MARK: Figures

  private func figures() {
    var rows: [[String]] = []
    func figure(_ name: String, _ measured: String, _ target: String) {
      rows.append([name, measured, target])
    }
    let mixed = results.filter { $0.mix == "mixed" }
    for (filters, target) in [(1_000, 10), (10_000, 30), (100_000, 60)] {
      guard let ratio = mixed.first(where: { $0.filters == filters })?.fewRatio else { continue }
      figure("matching: scan / Belfry, \(filters) filters", fixed(ratio, 2) + " x", ">= \(target)")
    }
    if let first = mixed.first, let last = mixed.last, let least = fixedRatios.first {
      let (median, most) = (fixedRatios[fixedRatios.count / 2], fixedRatios.last!)
      figure(
        "matching: a with \(last.filters) / a with \(first.filters) filters, \(fixedRatios.count) pairs",
        "\(fixed(median, 1)) x (\(fixed(least, 1)) to \(fixed(most, 1)))", "<= 10")
      figure("matching: b with \(last.filters) filters", fixed(last.perMoved, 2) + " ns", "< 10")
    }
    let slowest = results.filter { $0.mix != "mixed" }.min { ratio($0) < ratio($1) }
    if let slowest {
      figure("matching: worst mix, \(slowest.mix): scan / Belfry", fixed(ratio(slowest), 2) + " x", ">= 1")
    }
    if let growth {
      let (median, most) = (growth.adds[growth.filters / 2], growth.adds.last!)
      figure(
        "matching: \(growth.filters) filters that come one by one: median, worst add; over 1 ms",
        "\(fixed(Double(median) / 1000, 0)) us, \(fixed(Double(most) / 1000, 0)) us; \(growth.long)", "0")
    }
    table(["figure", "measured", "target"], rows)
  }

  /// Over all changes but swings, of the kind that does worst.
  private func ratio(_ result: TrialResult) -> Double {
    [Trial.Kind.update, .insert, .delete].map { kind in
      let samples = result.samples(kind)
      return samples.isEmpty ? .infinity : samples.sum(\.scan) / samples.sum(\.belfry)
    }.min()!
  }

  private func fixed(_ value: Double, _ digits: Int) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      let count = withVaList([Int32(digits), value]) { vsnprintf(text.baseAddress, 64, "%.*f", $0) }
      return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}
