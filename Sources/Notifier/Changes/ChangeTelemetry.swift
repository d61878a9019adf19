import Base

/// The metrics of who publishes every change.
struct ChangeTelemetry {
  private let records: Metric
  private let transactions: Metric
  private let milliseconds: Metric
  let aborts: Metric
  private let changes: Metric
  private let gaps: Metric
  private let unreadable: Metric
  private let snapshots: Metric
  private let overLimit: Metric
  private let topicsMadeAgain: Metric
  private let streams: Metric
  private let held: Metric
  private let lag: Metric

  init(_ metrics: Metrics) {
    records = metrics.counter(
      "belfry_live_records_total", "Records published on streams of every change")
    transactions = metrics.counter(
      "belfry_live_transactions_total", "Transactions of the streams of every change")
    milliseconds = metrics.counter(
      "belfry_live_transaction_milliseconds_total", "Time spent in these transactions, ms")
    aborts = metrics.counter("belfry_live_aborts_total", "Of these transactions, those that were aborted")
    changes = metrics.counter("belfry_live_changes_total", "Changes matched for streams of every change")
    gaps = metrics.counter(
      "belfry_live_gaps_total", "Changes that were lost before they could be published on such streams")
    unreadable = metrics.counter(
      "belfry_live_unreadable_total", "Changelog records that could not be read for such streams")
    snapshots = metrics.counter("belfry_live_snapshots_total", "Snapshots with which such streams began")
    overLimit = metrics.counter(
      "belfry_live_streams_over_limit_total", "Such streams that stand still over a limit")
    topicsMadeAgain = metrics.counter(
      "belfry_live_topics_made_again_total", "Topics of such streams that were deleted and made again")
    streams = metrics.gauge("belfry_live_streams", "Streams of every change that live")
    held = metrics.gauge("belfry_live_held_bytes", "Bytes of changes that wait for their streams' snapshots")
    lag = metrics.gauge("belfry_live_lag_records", "Changelog records that are not published yet, about")
  }

  func matched(_ count: Int) { changes.add(count) }
  func lost(_ count: Int64) { gaps.add(Int(clamping: count)) }
  func couldNotRead() { unreadable.add() }
  func began() { snapshots.add() }
  func failed() { overLimit.add() }
  func madeAgain(_ count: Int) { topicsMadeAgain.add(count) }

  func published(_ count: Int, _ time: Duration) {
    records.add(count)
    transactions.add()
    milliseconds.add(Int(time.milliseconds))
  }

  func report(streams count: Int, held bytes: Int) {
    streams.set(count)
    held.set(bytes)
  }

  func isBehind(_ count: Int64) { lag.set(Int(clamping: count)) }
}
