/// Decoders that take a run of events in turn: while one event's strings become codes, what the dictionary has of the
/// next one's is on its way from memory, and the one behind it is parsed. One thread uses it.
///
///     for index in 0..<count + DecoderRing.ahead {
///       if index < count { ring.decode(index, …) }
///       if index >= DecoderRing.ahead { use ring[index - DecoderRing.ahead] }
///     }
public final class DecoderRing {
  /// Events that are decoded before the one in use.
  public static let ahead = 2

  private var decoders: [(decoder: EventDecoder, outcome: EventDecoder.Outcome)] = []
  private let strings: StringTable

  /// `make` makes decoders of one kind, whose strings are interned in that dictionary.
  public init(_ strings: StringTable, _ make: () -> EventDecoder) {
    self.strings = strings
    for _ in 0...Self.ahead { decoders.append((make(), .event)) }
  }

  /// Decodes the run's event at an index. Those before it are decoded.
  public func decode(_ index: Int, _ bytes: UnsafeRawBufferPointer?) {
    let at = index % decoders.count
    decoders[at].outcome = decoders[at].decoder.decode(bytes)
    if case .event = decoders[at].outcome { decoders[at].decoder.fetchPlaces(strings) }
    guard index > 0 else { return }
    let last = (index - 1) % decoders.count
    if case .event = decoders[last].outcome { decoders[last].decoder.fetchBlocks(strings) }
  }

  /// What became of the event at an index, one of the last `ahead` + 1 that were decoded.
  public subscript(index: Int) -> (decoder: EventDecoder, outcome: EventDecoder.Outcome) {
    decoders[index % decoders.count]
  }
}
