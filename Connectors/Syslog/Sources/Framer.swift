/// Cuts a TCP stream into messages (RFC 6587): octet counting (`11 <13>message`, 3.4.1) or line feeds (3.4.2;
/// zeros end a message too). Pure; holds at most what it was given last and one message.
struct Framer {
  struct Frame: Equatable {
    var bytes: [UInt8]
    /// Bytes beyond the limit were dropped.
    var truncated: Bool
  }
  /// The stream is no syslog: nothing after it can be understood.
  struct Broken: Error, Equatable {}

  private enum Method { case undecided, octet, newline }
  private enum State: Equatable {
    /// At a frame's beginning, with its count's digits so far (octet counting).
    case count(Int, digits: Int)
    /// Inside a frame; with octet counting, bytes to come.
    case body(left: Int)
  }

  private let messageMax: Int
  private var method: Method
  private var state = State.count(0, digits: 0)
  private var message: [UInt8] = []
  private var truncated = false
  private var input: ArraySlice<UInt8> = []

  init(framing: SyslogSettings.Framing, messageMax: Int) {
    self.messageMax = messageMax
    method = framing == .auto ? .undecided : framing == .octet ? .octet : .newline
  }

  /// More of the stream. All that was given before must have been taken (`next` returned nil).
  mutating func give(_ bytes: ArraySlice<UInt8>) {
    precondition(input.isEmpty)
    input = bytes
  }

  /// The next whole message; nil when more of the stream is needed. Empty messages are passed over.
  mutating func next() throws(Broken) -> Frame? {
    while let first = input.first {
      if method == .undecided { method = isDigit(first) && first != UInt8(ascii: "0") ? .octet : .newline }
      let frame = method == .octet ? try nextCounted() : nextLine()
      if let frame, !frame.bytes.isEmpty { return frame }
    }
    // An empty slice would still share the reader's buffer, and its next read would copy it.
    input = []
    return nil
  }

  /// The stream ended: the last line may lack its line feed. `cut` is true when a counted message was cut short.
  mutating func end() -> (last: Frame?, cut: Bool) {
    if method == .octet { return (nil, state != .count(0, digits: 0)) }
    let last = takeMessage()
    return (last.bytes.isEmpty ? nil : last, false)
  }

  private mutating func nextLine() -> Frame? {
    let line = input.prefix { $0 != 0x0a && $0 != 0 }
    append(line)
    input = input.dropFirst(line.count)
    guard !input.isEmpty else { return nil }
    input = input.dropFirst()
    return takeMessage()
  }

  private mutating func nextCounted() throws(Broken) -> Frame? {
    switch state {
    case .count(let count, let digits):
      let byte = input.removeFirst()
      if isDigit(byte), digits < SyslogLimits.octetCountDigitsMax, digits > 0 || byte != UInt8(ascii: "0") {
        state = .count(count * 10 + Int(byte - UInt8(ascii: "0")), digits: digits + 1)
      } else if byte == UInt8(ascii: " "), digits > 0 {
        state = .body(left: count)
      } else if digits > 0 || (byte != 0x0a && byte != 0x0d) {
        // Between frames a line end is forgiven: some senders use both methods at once.
        throw Broken()
      }
      return nil
    case .body(let left):
      let part = input.prefix(left)
      append(part)
      input = input.dropFirst(part.count)
      state = part.count == left ? .count(0, digits: 0) : .body(left: left - part.count)
      return part.count == left ? takeMessage() : nil
    }
  }

  private mutating func append(_ part: ArraySlice<UInt8>) {
    let room = messageMax - message.count
    message.append(contentsOf: part.prefix(room))
    if part.count > room { truncated = true }
  }

  /// The message, without the carriage return and line feed that it may end with.
  private mutating func takeMessage() -> Frame {
    var frame = Frame(bytes: [], truncated: truncated)
    swap(&frame.bytes, &message)
    truncated = false
    while let last = frame.bytes.last, last == 0x0a || last == 0x0d { frame.bytes.removeLast() }
    return frame
  }
}
