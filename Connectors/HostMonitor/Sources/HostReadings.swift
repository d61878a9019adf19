import Base
import ConnectorKit

/// What a reading is about: the columns AlertGroup and AlertKey.
struct Resource: Hashable, Comparable, Sendable {
  var group: Group
  var key: String

  enum Group: String, CaseIterable, Sendable {
    case load, cpu, memory, swap, disk, network, errors, drops, link, processes, zombies, process
  }

  static func < (a: Resource, b: Resource) -> Bool { (a.group.rawValue, a.key) < (b.group.rawValue, b.key) }
}

/// One resource's present value, and how to say it.
struct Reading: Equatable, Sendable {
  var resource: Resource
  var value: Double
  /// The value's unit, for the event's attributes.
  var unit: String
  /// Nil: it is only shown, never a problem.
  var levels: Levels?
  var text: String
  /// Whether it has a row of its own while it is fine.
  var status = true

  /// Whether the value is a yes or a no, so that a threshold says nothing to people.
  var isYesOrNo: Bool { resource.group == .link || resource.group == .process }
}

/// Turns samples into readings. Keeps the last sample, for rates. Pure but for that.
struct HostReadings {
  let settings: HostSettings
  private var last: HostSample?
  /// Interfaces seen up since the start: only their links can be missed.
  private var wereUp: Set<String> = []
  private var cores = 1

  init(settings: HostSettings) { self.settings = settings }

  /// The readings of a sample, and the groups of which it can say nothing: what was known of their resources
  /// still stands.
  mutating func readings(of sample: HostSample) -> (readings: [Reading], unread: Set<Resource.Group>) {
    var readings: [Reading] = []
    cores = sample.cpu?.cores ?? cores
    readings += sample.load.map { [loadReading($0)] } ?? []
    readings += cpuReading(sample).map { [$0] } ?? []
    readings += sample.memory.map(memoryReadings) ?? []
    readings += sample.disks?.map(diskReading) ?? []
    let network = sample.interfaces.map { networkReadings($0, sample.elapsed) }
    readings += network ?? []
    readings += sample.processes.map(processReadings) ?? []
    let unread = unread(sample)
    last = sample
    return (readings, unread)
  }

  private func unread(_ sample: HostSample) -> Set<Resource.Group> {
    var unread: Set<Resource.Group> = []
    if sample.load == nil { unread.insert(.load) }
    if cpuReading(sample) == nil { unread.insert(.cpu) }
    if sample.memory == nil { unread.formUnion([.memory, .swap]) }
    if sample.disks == nil { unread.insert(.disk) }
    if sample.interfaces == nil { unread.formUnion([.network, .errors, .drops, .link]) }
    if rateInterval(sample.elapsed) == nil { unread.formUnion([.errors, .drops]) }
    if sample.processes == nil { unread.formUnion([.processes, .zombies, .process]) }
    return unread
  }

  private func loadReading(_ load: LoadAverage) -> Reading {
    let perCore = load.one / Double(cores)
    let averages = "\(fixed(load.one, 2)) \(fixed(load.five, 2)) \(fixed(load.fifteen, 2))"
    return Reading(
      resource: Resource(group: .load, key: "load"), value: perCore, unit: "per core",
      levels: settings.load, text: "Load \(averages), \(fixed(perCore, 2)) per core (\(cores))")
  }

  private func cpuReading(_ sample: HostSample) -> Reading? {
    guard let now = sample.cpu, let before = last?.cpu, now.total > before.total else { return nil }
    // The kernel's idle time may step back a little: then busy seems more than all.
    let busy = now.busy > before.busy ? now.busy - before.busy : 0
    let percent = min(100, 100 * Double(busy) / Double(now.total - before.total))
    return Reading(
      resource: Resource(group: .cpu, key: "cpu"), value: percent, unit: "%", levels: settings.cpu,
      text: "CPU \(fixed(percent, 1)) % busy over \(now.cores) core\(now.cores == 1 ? "" : "s")")
  }

  private func memoryReadings(_ memory: MemoryInfo) -> [Reading] {
    let used = memory.total - memory.available
    let percent = 100 * Double(used) / Double(memory.total)
    var readings = [
      Reading(
        resource: Resource(group: .memory, key: "memory"), value: percent, unit: "%",
        levels: settings.memory,
        text: "Memory \(fixed(percent, 1)) % used, \(amount(used)) of \(amount(memory.total))")
    ]
    guard memory.swapTotal > 0 else { return readings }
    let swapped = memory.swapTotal - memory.swapFree
    let swap = 100 * Double(swapped) / Double(memory.swapTotal)
    readings.append(
      Reading(
        resource: Resource(group: .swap, key: "swap"), value: swap, unit: "%", levels: settings.swap,
        text: "Swap \(fixed(swap, 1)) % used, \(amount(swapped)) of \(amount(memory.swapTotal))"))
    return readings
  }

  private func diskReading(_ disk: Disk) -> Reading {
    let all = disk.space.used &+ disk.space.available
    let percent = all == 0 ? 0 : 100 * Double(disk.space.used) / Double(all)
    return Reading(
      resource: Resource(group: .disk, key: disk.mount), value: percent, unit: "%", levels: settings.disk,
      text: "Disk \(disk.mount) \(fixed(percent, 1)) % used, \(amount(disk.space.available)) available")
  }

  /// Seconds since the last sample with interfaces; nil when there is none to compare with.
  private func rateInterval(_ elapsed: Duration) -> Double? {
    guard let last, last.interfaces != nil, elapsed > last.elapsed else { return nil }
    return (elapsed - last.elapsed).seconds
  }

  private mutating func networkReadings(_ interfaces: [Interface], _ elapsed: Duration) -> [Reading] {
    var readings: [Reading] = []
    let seconds = rateInterval(elapsed)
    let before = Dictionary(
      (last?.interfaces ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for interface in interfaces {
      if let seconds, let old = before[interface.name] {
        readings += rateReadings(interface, old, seconds)
      }
    }
    return readings + linkReadings(interfaces)
  }

  private func rateReadings(_ now: Interface, _ old: Interface, _ seconds: Double) -> [Reading] {
    // A counter that fell began anew: no rate is better than a wild one.
    func rate(_ part: KeyPath<Interface, UInt64>) -> Double {
      now[keyPath: part] < old[keyPath: part]
        ? 0 : Double(now[keyPath: part] - old[keyPath: part]) / seconds
    }
    let errors = rate(\.errors)
    let drops = rate(\.drops)
    let traffic = "in \(amount(rate(\.received)))/s, out \(amount(rate(\.sent)))/s"
    return [
      Reading(
        resource: Resource(group: .network, key: now.name), value: rate(\.received) + rate(\.sent),
        unit: "B/s", levels: nil,
        text: "\(now.name) \(traffic), \(fixed(errors, 1)) errors/s, \(fixed(drops, 1)) drops/s"),
      Reading(
        resource: Resource(group: .errors, key: now.name), value: errors, unit: "/s",
        levels: settings.errors, text: "\(now.name) \(fixed(errors, 1)) errors/s", status: false),
      Reading(
        resource: Resource(group: .drops, key: now.name), value: drops, unit: "/s",
        levels: settings.drops, text: "\(now.name) \(fixed(drops, 1)) dropped packets/s", status: false),
    ]
  }

  /// A link that is down is missed where it was up before, or where the settings expect it. Expected ones are
  /// missed too when they are switched off or not there at all.
  private mutating func linkReadings(_ interfaces: [Interface]) -> [Reading] {
    let present = Dictionary(interfaces.map { ($0.name, $0.link) }, uniquingKeysWith: { first, _ in first })
    wereUp.formIntersection(present.keys)
    for (name, link) in present where link == .up || link == .unknown { wereUp.insert(name) }
    for (name, link) in present where link == .off { wereUp.remove(name) }
    let expected = Set(settings.expectedInterfaces)
    return expected.union(wereUp).sorted().map { name in
      let link = present[name]
      let down = link == nil || link == .down || (link == .off && expected.contains(name))
      let state = link == nil ? "missing" : link == .off ? "switched off" : down ? "down" : "up"
      return Reading(
        resource: Resource(group: .link, key: name), value: down ? 1 : 0, unit: "down",
        levels: Levels(warning: nil, major: 1, critical: nil, clear: 0), text: "\(name) link is \(state)",
        status: false)
    }
  }

  private func processReadings(_ counts: ProcessCounts) -> [Reading] {
    let named = settings.expectedProcesses.map { name in
      let running = counts.named[name] ?? 0
      return Reading(
        resource: Resource(group: .process, key: name), value: running == 0 ? 1 : 0, unit: "missing",
        levels: Levels(warning: nil, major: nil, critical: 1, clear: 0),
        text: running == 0 ? "Process \(name) is not running" : "Process \(name): \(running) running")
    }
    return named + [
      Reading(
        resource: Resource(group: .processes, key: "processes"), value: Double(counts.total), unit: "",
        levels: settings.processes, text: "\(counts.total) processes"),
      Reading(
        resource: Resource(group: .zombies, key: "zombies"), value: Double(counts.zombies), unit: "",
        levels: settings.zombies, text: "\(counts.zombies) zombie processes", status: false),
    ]
  }
}

/// `12.3 GiB`, for people.
func amount(_ bytes: Double) -> String {
  var rest = bytes
  for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
    if rest < 1024 { return "\(fixed(rest, unit == "B" ? 0 : 1)) \(unit)" }
    rest /= 1024
  }
  return "\(fixed(rest, 1)) PiB"
}

func amount(_ bytes: UInt64) -> String { amount(Double(bytes)) }
