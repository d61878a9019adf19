import Base
import ConnectorKit

/// What the monitor measures, how often, and from which values on it raises alarms. README.md has the
/// table of keys and defaults.
struct HostSettings: Equatable, Sendable {
  var interval = Duration.seconds(5)
  var again = Duration.seconds(60)
  /// Empty: the machine's own name.
  var node = ""
  var status = true
  var proc = "/proc"
  var procPlace = ""
  var sys = "/sys"
  var load = Levels(warning: 1.5, major: 3, critical: 6, clear: 1)
  var cpu = Levels(warning: 90, major: 98, critical: nil, clear: 80)
  var memory = Levels(warning: 80, major: 90, critical: 95, clear: 75)
  var swap = Levels(warning: 50, major: 75, critical: 90, clear: 40)
  var disk = Levels(warning: 80, major: 90, critical: 95, clear: 78)
  var diskTypes: Set<String> = Self.realFileSystems
  var ignoredMounts: [String] = []
  var errors = Levels(warning: 1, major: 10, critical: 100, clear: 0)
  var drops = Levels(warning: 10, major: 100, critical: 1000, clear: 5)
  var ignoredInterfaces = Self.virtualInterfaces
  var expectedInterfaces: [String] = []
  var processes = Levels(warning: 5000, major: 10_000, critical: 20_000, clear: 4000)
  var zombies = Levels(warning: 10, major: 50, critical: 200, clear: 5)
  var expectedProcesses: [String] = []
  var defaults = AlertDefaults()

  /// File systems with a disk of this machine behind them. Not here: those that are no disk (proc, tmpfs),
  /// those that are always full (squashfs, iso9660), and remote ones, whose server can hang whoever asks.
  static let realFileSystems: Set<String> = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "vfat", "exfat",
    "ntfs", "ntfs3", "fuseblk", "ubifs", "hfsplus", "overlay", "virtiofs",
  ]
  /// Interfaces that come and go with containers and virtual machines; `*` at the end: any rest.
  static let virtualInterfaces = [
    "lo", "veth*", "docker*", "br-*", "virbr*", "vnet*", "tap*", "ifb*", "dummy*", "cni*", "cali*",
    "flannel*",
  ]

  init() {}

  init(_ settings: ConnectorSettings) throws(ConnectorError) {
    var reader = try SettingsReader(settings, of: HostMonitorProbe.kind)
    interval = try reader.duration("interval", default: interval, in: .milliseconds(100)...(.seconds(3600)))
    again = try reader.duration("repeat", default: again, in: .seconds(1)...(.seconds(86_400)))
    node = try reader.string("node", default: node)
    status = try reader.bool("status", default: status)
    proc = try reader.string("proc", default: proc)
    procPlace = reader.place(of: "proc")
    sys = try reader.string("sys", default: sys)
    load = try Self.levels("load", &reader, load)
    cpu = try Self.levels("cpu", &reader, cpu)
    memory = try Self.levels("memory", &reader, memory)
    swap = try Self.levels("swap", &reader, swap)
    try readDisk(&reader)
    try readNetwork(&reader)
    try readProcesses(&reader)
    defaults = try AlertDefaults(&reader)
    try reader.finish()
  }

  private static func levels(
    _ name: String, _ reader: inout SettingsReader, _ fallback: Levels
  ) throws(ConnectorError) -> Levels {
    var inner = try reader.map(name)
    let levels = try Levels(&inner, default: fallback)
    try inner.finish()
    return levels
  }

  private mutating func readDisk(_ reader: inout SettingsReader) throws(ConnectorError) {
    var inner = try reader.map("disk")
    disk = try Levels(&inner, default: disk)
    ignoredMounts = try inner.strings("ignore", default: ignoredMounts, most: HostLimits.listMax)
    diskTypes = Set(try inner.strings("types", default: diskTypes.sorted(), most: HostLimits.listMax))
    try inner.finish()
  }

  private mutating func readNetwork(_ reader: inout SettingsReader) throws(ConnectorError) {
    var inner = try reader.map("network")
    errors = try Self.levels("errors", &inner, errors)
    drops = try Self.levels("drops", &inner, drops)
    ignoredInterfaces = try inner.strings("ignore", default: ignoredInterfaces, most: HostLimits.listMax)
    expectedInterfaces = try Self.names("expect", &inner)
    guard expectedInterfaces.allSatisfy(Self.isInterfaceName) else {
      throw inner.error("expect", "has a member that cannot be an interface's name")
    }
    try inner.finish()
  }

  private mutating func readProcesses(_ reader: inout SettingsReader) throws(ConnectorError) {
    var inner = try reader.map("processes")
    expectedProcesses = try Self.names("expect", &inner)
    processes = try Self.levels("total", &inner, processes)
    zombies = try Self.levels("zombies", &inner, zombies)
    try inner.finish()
  }

  /// A list of names, sorted, each once.
  private static func names(
    _ key: String, _ reader: inout SettingsReader
  ) throws(ConnectorError) -> [String] {
    let given = try reader.strings(key, default: [], most: HostLimits.processNamesMax)
    guard !given.contains("") else { throw reader.error(key, "has an empty name") }
    return Set(given).sorted()
  }

  /// What the kernel allows (`dev_valid_name`): it becomes part of a path below /sys.
  static func isInterfaceName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count < 16 && name != "." && name != ".."
      && name.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
  }

  /// Whether a name is in a list of patterns, whose only wild card is `*` at the end.
  static func matches(_ name: String, _ patterns: [String]) -> Bool {
    patterns.contains { $0.hasSuffix("*") ? name.hasPrefix($0.dropLast()) : name == $0 }
  }
}
