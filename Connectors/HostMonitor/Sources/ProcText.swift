/// Readers of the texts of /proc: bytes in, plain values out, nil for what is not as proc(5) says. Pure.
enum ProcText {
  typealias Bytes = ArraySlice<UInt8>

  static func words(_ line: Bytes) -> [Bytes] {
    line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
  }

  static func lines(_ text: [UInt8], most: Int = .max) -> [Bytes] {
    text.split(maxSplits: most == .max ? .max : most, whereSeparator: { $0 == UInt8(ascii: "\n") })
      .prefix(most).map(\.self)
  }

  static func number(_ word: Bytes) -> UInt64? { UInt64(String(decoding: word, as: UTF8.self)) }

  static func text(_ word: Bytes) -> String { String(decoding: word, as: UTF8.self) }

  /// `0.06 0.04 0.01 2/84 3282`.
  static func loadAverage(_ bytes: [UInt8]) -> LoadAverage? {
    let values = words(lines(bytes).first ?? []).prefix(3).compactMap { Double(text($0)) }
    guard values.count == 3, values.allSatisfy({ $0.isFinite && $0 >= 0 }) else { return nil }
    return LoadAverage(one: values[0], five: values[1], fifteen: values[2])
  }

  /// The `cpu` lines of `stat`: user nice system idle iowait irq softirq steal, then guest times, which are
  /// counted in user and nice already.
  static func cpuTimes(_ bytes: [UInt8]) -> CPUTimes? {
    var times: CPUTimes?
    var cores = 0
    for line in lines(bytes) where line.starts(with: "cpu".utf8) {
      let parts = words(line)
      guard parts[0].elementsEqual("cpu".utf8) else {
        cores += 1
        continue
      }
      let ticks = parts.dropFirst().prefix(8).compactMap(number)
      guard ticks.count >= 4, ticks.count == min(parts.count - 1, 8) else { return nil }
      let total = ticks.reduce(0, &+)
      let idle = ticks[3] &+ (ticks.count > 4 ? ticks[4] : 0)
      times = CPUTimes(busy: total &- idle, total: total, cores: 0)
    }
    times?.cores = max(cores, 1)
    return times
  }

  /// `MemTotal: 24684092 kB` and its like. Kernels before 3.14 have no MemAvailable: free and cached then.
  static func memory(_ bytes: [UInt8]) -> MemoryInfo? {
    var values: [String: UInt64] = [:]
    for line in lines(bytes, most: 256) {
      let parts = words(line)
      guard parts.count >= 2, let kilobytes = number(parts[1]) else { continue }
      values[text(parts[0])] = kilobytes.multipliedReportingOverflow(by: 1024).partialValue
    }
    guard let total = values["MemTotal:"], total > 0 else { return nil }
    let guess = (values["MemFree:"] ?? 0) &+ (values["Cached:"] ?? 0)
    let swap = values["SwapTotal:"] ?? 0
    return MemoryInfo(
      total: total, available: min(values["MemAvailable:"] ?? guess, total), swapTotal: swap,
      swapFree: min(values["SwapFree:"] ?? 0, swap))
  }

  /// `net/dev`: two lines of headings, then `eth0: ` and 8 numbers received, 8 sent.
  static func interfaces(_ bytes: [UInt8]) -> [Interface] {
    lines(bytes).dropFirst(2).compactMap { line in
      guard let colon = line.lastIndex(of: UInt8(ascii: ":")) else { return nil }
      let name = text(words(line[..<colon]).first ?? [])
      let n = words(line[(colon + 1)...]).compactMap(number)
      guard n.count >= 12, HostSettings.isInterfaceName(name) else { return nil }
      return Interface(
        name: name, received: n[0], sent: n[8], errors: n[2] &+ n[10], drops: n[3] &+ n[11])
    }
  }

  /// Of `/sys/class/net/<name>`: `operstate` (RFC 2863 in words) and `flags`, whose lowest bit is IFF_UP.
  static func link(operstate: [UInt8]?, flags: [UInt8]?) -> Interface.Link {
    let state = text(words(lines(operstate ?? []).first ?? []).first ?? [])
    let hexadecimal = text(words(lines(flags ?? []).first ?? []).first ?? []).dropFirst(2)
    if let bits = UInt32(hexadecimal, radix: 16), bits & 1 == 0 { return .off }
    switch state {
    case "up": return .up
    case "down", "lowerlayerdown": return .down
    default: return .unknown
    }
  }

  /// A line of `self/mountinfo`: ids, `major:minor`, root, mount point, options, …, `-`, type, source.
  struct Mount: Equatable {
    var device: String
    /// The path as the kernel has it: any bytes.
    var path: [UInt8]
    var type: String
  }

  static func mounts(_ bytes: [UInt8]) -> [Mount] {
    lines(bytes, most: HostLimits.mountLinesMax).compactMap { line in
      let parts = words(line)
      guard parts.count > 6, let dash = parts[6...].firstIndex(where: { $0.elementsEqual("-".utf8) }),
        parts.count > dash + 1
      else { return nil }
      return Mount(device: text(parts[2]), path: unescaped(parts[4]), type: text(parts[dash + 1]))
    }
  }

  /// The kernel writes space, tab, line feed and backslash as `\040` and so on.
  static func unescaped(_ path: Bytes) -> [UInt8] {
    var result: [UInt8] = []
    var at = path.startIndex
    while at < path.endIndex {
      let digits = path[at...].dropFirst().prefix(3)
      if path[at] == UInt8(ascii: "\\"), digits.count == 3, let code = UInt8(text(digits), radix: 8) {
        result.append(code)
        at += 4
      } else {
        result.append(path[at])
        at += 1
      }
    }
    return result
  }

  /// `123 (name) S …` of `<pid>/stat`. The name can hold anything, parentheses too.
  static func process(_ bytes: [UInt8]) -> (name: String, state: UInt8)? {
    guard let open = bytes.firstIndex(of: UInt8(ascii: "(")),
      let close = bytes.lastIndex(of: UInt8(ascii: ")")), open < close, close + 2 < bytes.count
    else { return nil }
    return (text(bytes[(open + 1)..<close]), bytes[close + 2])
  }
}
