/// How large a query may be. Everything that grows with a query's text is bounded here.
public enum QueryLimits {
  /// Bytes of the text. Every other number is at most this, since each thing takes a byte.
  public static let textBytesMax = 65_536
  /// Levels of parentheses, operators and calls inside each other. 100 take less than 512 KiB of the
  /// thread's stack in an unoptimised build, less than 5 KiB a level.
  public static let depthMax = 100
  /// Comparisons, LIKEs, INs and bool columns of one query.
  public static let atomsMax = 1_000
  /// Columns and metrics behind SELECT, before `*` is expanded; and in the canonical text, which has the columns of
  /// `*`, of the key and of GROUP BY, too.
  public static let selectItemsMax = 512
  /// Values of one IN list.
  public static let listElementsMax = 10_000
  /// Rows of one INSERT.
  public static let insertRowsMax = 10_000
  /// Bounds of one HISTOGRAM. Each of its groups holds a counter more than that, 8 bytes each.
  public static let histogramBoundsMax = 64
  /// Values and parts of values that are looked at in one query: those that BETWEEN and CASE compare
  /// several times count each time.
  public static let valuesMax = 65_536
  /// Named filters and views that one query is expanded from, those inside others counted: each text is read.
  public static let expansionsMax = 100
  /// Named filters and views.
  public static let definitionsMax = 10_000
  /// Bytes of all their names and texts.
  public static let definitionBytesMax = 16 << 20
  /// A filter is brought into its canonical form by a decision diagram up to so many comparisons, of so many
  /// values, so many sets of one value and so many places where all these begin and end; with so many nodes, steps
  /// and terms. Beyond these, only equal parts are found. Of 6,000 random filters of 100 comparisons the slowest
  /// takes 0.8 ms on a quick machine, and 1.2 ms on one half as quick.
  public static let diagramAtomsMax = 128
  public static let diagramVariablesMax = 32
  public static let diagramSetsMax = 64
  public static let diagramCutsMax = 4_096
  public static let diagramNodesMax = 1_024
  public static let diagramStepsMax = 4_096
  public static let diagramTermsMax = 32
  /// Comparisons of the form. It may have `diagramCutsMax` places where its sets begin and end, and
  /// `textBytesMax` bytes: whether it is taken depends on itself, not on how it was spelt.
  public static let diagramFormAtomsMax = 512
  /// Columns behind GROUP BY.
  public static let groupColumnsMax = 32
  /// Bytes of a name behind AS, or of a computed column that has none: every record carries it.
  public static let nameBytesMax = 256
  /// Characters of an error's message, which may repeat names from the text.
  static let messageCharactersMax = 300
}
