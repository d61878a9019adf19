extension Int64 {
  /// What counts by ones from 0 cannot have come further than this, and there is room for counting on: a
  /// number of a record that is none is not to be believed.
  public var isCount: Bool { (0..<Int64.max / 2).contains(self) }
}
