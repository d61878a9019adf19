import Base
import Bus
import Events

/// The clients' commands where they are read, at shard 0: what waits, what runs, what was answered. What the open
/// transaction changed lies apart until its end.
final class CommandDesk {
  typealias ID = [UInt8]

  /// The next offset to be read of the commands: behind what waits.
  var read: Int64
  /// Where commands are read from is in no transaction yet: it goes into the first, even if that has nothing else.
  private(set) var isUntold: Bool
  /// Changes of rows that were read but not begun.
  var pending = PendingRecords()
  /// Of ended transactions.
  private var states: [ID: CommandState] = [:]
  /// The ids in `states` in the order in which they came, from `first` on.
  private var order: [ID] = []
  private var first = 0
  private var answeredBytes = 0
  /// Those that run; the open transaction's counted as they are in it.
  private(set) var runningCount = 0

  /// Of ended transactions, the commands that run with their offsets, in their order; and those that the open one
  /// began. What ran when the replies were restored lies before all others.
  private var underway: [(offset: Int64, id: ID)] = []
  private var begun: [(offset: Int64, id: ID)] = []

  /// Commands that ran when records of the inbox were lost: until an ended transaction has answered them.
  private(set) var lost: [ID] = []

  /// The open transaction's, and their order.
  private var open: [ID: CommandState] = [:]
  private var touched: [ID] = []
  /// The open transaction's answers to records under ids that stand for other commands.
  private var refusals: [(id: ID, reply: [UInt8])] = []

  /// The first command that has not begun, or the next one to be read.
  var next: Int64 { pending.isEmpty ? read : pending.first.offset }

  init(read: Int64, isUntold: Bool) {
    self.read = read
    self.isUntold = isUntold
  }

  subscript(id: ID) -> CommandState? { open[id] ?? states[id] }

  /// The open transaction says this of the command: its reply is written, again where it was so before.
  func set(_ id: ID, _ state: CommandState) {
    count(state, former: self[id])
    if open.updateValue(state, forKey: id) == nil { touched.append(id) }
  }

  /// The open transaction begins the command that lies at this offset.
  func begin(_ id: ID, at offset: Int64) { begun.append((offset, id)) }

  /// The offset of the first command that runs; nil: none does. Those that were restored count as the very first.
  var firstUnderway: Int64? { underway.first?.offset }

  /// Copies and answers of what runs may be among records that were lost.
  func lose() { lost = order[first...].filter { states[$0]?.isRunning == true } }

  private func count(_ state: CommandState?, former: CommandState?) {
    if state?.isRunning == true { runningCount += 1 }
    if former?.isRunning == true { runningCount -= 1 }
  }

  /// A record under the id is another command than `state`: it gets a reply of its own. Behind it that of the state
  /// is written again, which stays the id's last.
  func refuse(_ id: ID, _ reply: [UInt8], state: CommandState) {
    refusals.append((id, reply))
    set(id, state)
  }

  /// The replies that the open transaction writes, in the order in which they were first set; `state` is nil where the
  /// id stands for something else.
  func forEachReply(_ body: (_ id: ID, _ reply: [UInt8], _ state: CommandState?) -> Void) {
    for (id, reply) in refusals { body(id, reply, nil) }
    for id in touched { body(id, open[id]!.reply, open[id]!) }
  }

  /// A reply as it was found on the topic, when nothing is open. Behind some of them call `settle`.
  func restore(_ id: ID, _ state: CommandState) {
    count(state, former: states[id])
    keep(id, state)
    if state.isRunning { begun.append((0, id)) }
  }

  /// The open transaction has ended.
  func commit(_ settings: TableSettings) {
    for id in touched { keep(id, open[id]!) }
    let isTouched = !touched.isEmpty
    open.removeAll(keepingCapacity: true)
    touched.removeAll(keepingCapacity: true)
    refusals.removeAll(keepingCapacity: true)
    isUntold = false
    lost = []
    if isTouched { settle(settings) }
  }

  /// What the open transaction did is undone; commands are read again from `position`.
  func abort(to position: Int64) {
    for id in touched { count(states[id], former: open[id]) }
    open.removeAll(keepingCapacity: true)
    touched.removeAll(keepingCapacity: true)
    refusals.removeAll(keepingCapacity: true)
    begun.removeAll(keepingCapacity: true)
    pending.removeAll()
    read = position
  }

  /// What was begun is under way as long as it runs; the oldest answers above the limits are forgotten. O(commands
  /// that run).
  func settle(_ settings: TableSettings) {
    underway += begun
    begun.removeAll(keepingCapacity: true)
    underway.removeAll { states[$0.id]?.isRunning != true }
    forget(settings)
  }

  private func keep(_ id: ID, _ state: CommandState) {
    if case .answered(let command) = state { answeredBytes += id.count + command.reply.count }
    if let former = states.updateValue(state, forKey: id) {
      if case .answered(let command) = former { answeredBytes -= id.count + command.reply.count }
    } else {
      order.append(id)
    }
  }

  private func forget(_ settings: TableSettings) {
    while states.count > settings.commandsRememberedMax
      || answeredBytes > settings.commandBytesRememberedMax,
      first < order.count, case .answered(let command)? = states[order[first]]
    {
      states[order[first]] = nil
      answeredBytes -= order[first].count + command.reply.count
      first += 1
    }
    if first > 1024, first * 2 > order.count {
      order.removeFirst(first)
      first = 0
    }
  }
}
