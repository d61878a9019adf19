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

  /// Held by the ring, and not counted up and down for each event.
  private let decoders: [Unmanaged<EventDecoder>]
  private let strings: StringTable

  /// `make` makes decoders of one kind, whose strings are interned in that dictionary.
  public init(_ strings: StringTable, _ make: () -> EventDecoder) {
    self.strings = strings
    decoders = (0...Self.ahead).map { _ in Unmanaged.passRetained(make()) }
  }

  deinit { for decoder in decoders { decoder.release() } }

  /// Decodes the run's event at an index. Those before it are decoded.
  public func decode(_ index: Int, _ bytes: UnsafeRawBufferPointer?) {
    decoders[index % decoders.count]._withUnsafeGuaranteedRef { decoder in
      decoder.decode(bytes)
      if case .event = decoder.outcome { decoder.fetchPlaces(strings) }
    }
    guard index > 0 else { return }
    decoders[(index - 1) % decoders.count]._withUnsafeGuaranteedRef { $0.fetchBlocks(strings) }
  }

  /// The decoder of the event at an index, one of the last `ahead` + 1 that were decoded.
  public subscript(index: Int) -> EventDecoder { decoders[index % decoders.count].takeUnretainedValue() }
}
