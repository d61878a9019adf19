/// How large a query may be. Everything that grows with a query's text is bounded here.
public enum QueryLimits {
  /// Bytes of the text. Every other number is at most this, since each thing takes a byte.
  public static let textBytesMax = 65_536
  /// Levels of parentheses, operators and calls inside each other. Reading a level takes three frames of
  /// some 500 bytes (unoptimised), so 100 levels take 150 kB of the thread's stack.
  public static let depthMax = 100
  /// Comparisons, LIKEs, INs and bool columns of one query.
  public static let atomsMax = 1_000
  /// Columns and metrics behind SELECT, before `*` is expanded.
  public static let selectItemsMax = 512
  /// Values of one IN list.
  public static let listElementsMax = 10_000
  /// Columns behind GROUP BY.
  public static let groupColumnsMax = 32
}
