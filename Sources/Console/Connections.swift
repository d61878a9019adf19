/// The connections that are open, and which of them have to go so that others can be heard. Pure: whoever asks cuts.
struct Connections {
  /// Why a connection is cut; the label of `belfry_http_connections_cut_total`.
  enum Reason: String, CaseIterable {
    /// There are too many, and of those without an answer under way it has waited the longest.
    case crowded
    /// There are too many, and all others have an answer under way.
    case full
    /// Its request takes too long.
    case slow
  }

  /// One to be cut.
  struct Cut: Equatable {
    let descriptor: Int32
    let reason: Reason
  }

  private struct Connection {
    let address: [UInt8]
    /// By when its request must be answered.
    var end: Duration
    var isAnswering = false
    var isCut = false
  }

  private let max: Int
  private let ofOneMax: Int
  private var open: [Int32: Connection] = [:]
  /// From here on no answer is given to libmicrohttpd any more.
  private(set) var isClosed = false

  init(max: Int, ofOneMax: Int) {
    self.max = max
    self.ofOneMax = ofOneMax
  }

  var isEmpty: Bool { open.isEmpty }
  var descriptors: some Sequence<Int32> { open.keys }

  /// One has come from an address. Which has to go, if any: a newcomer is heard, since half requests that nobody
  /// ends must not shut out health checks, not even those from the same machine. O(connections).
  mutating func opened(_ descriptor: Int32, from address: [UInt8], until end: Duration) -> Cut? {
    let living = open.filter { !$0.value.isCut }
    open[descriptor] = Connection(address: address, end: end)
    let ofOne = living.filter { $0.value.address == address }
    guard ofOne.count >= ofOneMax || living.count >= max else { return nil }
    let waiting = (ofOne.count >= ofOneMax ? ofOne : living).filter { !$0.value.isAnswering }
    let oldest = waiting.min { ($0.value.end, $0.key) < ($1.value.end, $1.key) }
    return cut(oldest?.key ?? descriptor, oldest == nil ? .full : .crowded)
  }

  private mutating func cut(_ descriptor: Int32, _ reason: Reason) -> Cut {
    open[descriptor]?.isCut = true
    return Cut(descriptor: descriptor, reason: reason)
  }

  mutating func closed(_ descriptor: Int32) { open[descriptor] = nil }

  /// Its request is complete, and is being answered.
  mutating func answers(_ descriptor: Int32) { open[descriptor]?.isAnswering = true }

  /// Its answer is made, and is sent now: who does not read it waits like one who asks nothing.
  mutating func answered(_ descriptor: Int32, until end: Duration) {
    open[descriptor]?.isAnswering = false
    open[descriptor]?.end = end
  }

  /// Those whose time is over, each once.
  mutating func slow(at now: Duration) -> [Cut] {
    open.filter { $0.value.end < now && !$0.value.isCut }.keys.sorted().map { cut($0, .slow) }
  }

  mutating func close() { isClosed = true }
}
