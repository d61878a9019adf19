import Base

/// What one look at the machine found, as the kernel tells it. A part that could not be read is nil.
struct HostSample: Equatable, Sendable {
  /// For rates: differences of two samples' `elapsed`.
  var elapsed: Duration
  var load: LoadAverage?
  var cpu: CPUTimes?
  var memory: MemoryInfo?
  var disks: [Disk]?
  var interfaces: [Interface]?
  var processes: ProcessCounts?

  init(elapsed: Duration) { self.elapsed = elapsed }
}

/// `proc/loadavg`: runnable and waiting tasks on average over 1, 5 and 15 minutes.
struct LoadAverage: Equatable, Sendable {
  var one: Double
  var five: Double
  var fifteen: Double
}

/// `proc/stat`: ticks since the machine started, over all cores.
struct CPUTimes: Equatable, Sendable {
  var busy: UInt64
  var total: UInt64
  var cores: Int
}

/// `proc/meminfo`, in bytes.
struct MemoryInfo: Equatable, Sendable {
  var total: UInt64
  var available: UInt64
  var swapTotal: UInt64
  var swapFree: UInt64
}

/// One mounted file system.
struct Disk: Equatable, Sendable {
  var mount: String
  var type: String
  var space: DiskSpace
}

/// Bytes of a file system, as `df` counts them: what root alone may use is neither used nor available.
struct DiskSpace: Equatable, Sendable {
  var used: UInt64
  var available: UInt64
}

/// One line of `proc/net/dev`, and what /sys says of the link.
struct Interface: Equatable, Sendable {
  enum Link: Equatable, Sendable {
    case up, down
    /// Switched off by its administrator.
    case off
    case unknown
  }
  var name: String
  var received: UInt64
  var sent: UInt64
  var errors: UInt64
  var drops: UInt64
  var link = Link.unknown
}

/// Processes of the machine.
struct ProcessCounts: Equatable, Sendable {
  var total: Int
  var zombies: Int
  /// How many living ones have each of the names asked for.
  var named: [String: Int]
}
