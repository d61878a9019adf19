import Base
import Requests

/// The publisher's metrics.
struct PublisherTelemetry {
  private let metrics: Metrics
  private let sweeps: Metric
  private let records: Metric
  private let sweepTime: Metric
  let aborts: Metric
  private let overLimit: Metric
  private let restoreErrors: Metric
  private let flushes: Metric
  private let madeAgain: Metric
  private let topicsLost: Metric
  private let unanswered: [UnansweredRecord.Source: Metric]
  private let steps: (up: Metric, down: Metric)
  private let floor: Metric
  private let roundTime: Metric
  private let flushesWaiting: Metric
  private let streams: Metric
  private let requests: Metric
  private let renewals: Metric
  private let epoch: Metric

  init(_ metrics: Metrics) {
    self.metrics = metrics
    sweeps = metrics.counter("belfry_sweeps_total", "Sweeps published")
    records = metrics.counter("belfry_published_records_total", "Records published on streams")
    sweepTime = metrics.counter(
      "belfry_sweep_milliseconds_total", "Time from asking the table for a sweep to its commit, ms")
    aborts = metrics.counter("belfry_publish_aborts_total", "Transactions of the publisher that were aborted")
    overLimit = metrics.counter("belfry_streams_over_limit_total", "Streams that stand still over a limit")
    restoreErrors = metrics.counter(
      "belfry_publisher_restore_errors_total", "Records of registry and progress that were not believed")
    madeAgain = metrics.counter(
      "belfry_stream_topics_made_again_total",
      "Topics of streams that somebody deleted, and that were made again")
    topicsLost = metrics.counter(
      "belfry_topics_deleted_total", "Topics of the cluster itself, no stream's, that somebody deleted")
    unanswered = Dictionary(
      uniqueKeysWithValues: UnansweredRecord.Source.allCases.map { source in
        let metric = metrics.counter(
          "belfry_unanswered_records_total",
          "Records of clients that have no key to be answered under, or no value",
          [("topic", source.rawValue)])
        return (source, metric)
      })
    let step = { to in
      metrics.counter("belfry_throttle_steps_total", "Steps of the smallest interval", [("to", to)])
    }
    steps = (step("larger"), step("smaller"))
    floor = metrics.gauge(
      "belfry_throttle_interval_milliseconds", "No set is published more often, 0: as it is asked for, ms")
    roundTime = metrics.gauge(
      "belfry_round_milliseconds", "The longest round of the last seconds: all that was due together, ms")
    flushes = metrics.counter("belfry_flushes_total", "Flushes that were answered with their sweep")
    flushesWaiting = metrics.gauge("belfry_flushes_waiting", "Flushes that are not answered yet")
    streams = metrics.gauge("belfry_streams", "Streams that live")
    requests = metrics.gauge("belfry_requests", "Requests that live")
    renewals = metrics.gauge("belfry_request_renewals", "Requests that were renewed since the start")
    epoch = metrics.gauge("belfry_epoch", "The publisher's term")
  }

  func swept(_ count: Int, _ time: Duration) {
    sweeps.add()
    records.add(count)
    sweepTime.add(Int(time.milliseconds))
  }

  func failed() { overLimit.add() }
  func madeAgain(_ count: Int) { madeAgain.add(count) }
  func topicsLost(_ count: Int) { topicsLost.add(count) }

  func stepped(isUp: Bool) { (isUp ? steps.up : steps.down).add() }

  func report(_ throttle: Throttle) {
    floor.set(Int(throttle.floor.milliseconds))
    roundTime.set(Int(throttle.roundTime.milliseconds))
  }

  func flushed(_ count: Int) { flushes.add(count) }
  func unanswered(_ source: UnansweredRecord.Source, _ count: Int) { unanswered[source]!.add(count) }
  func disbelieved() { restoreErrors.add() }

  func report(_ registry: Registry, epoch term: Int64) {
    streams.set(registry.streamCount)
    requests.set(registry.requestCount)
    renewals.set(registry.counts.renewals)
    flushesWaiting.set(registry.flushes.count)
    epoch.set(Int(term))
    for (code, n) in registry.counts.rejected {
      metrics.gauge("belfry_requests_rejected", "Requests rejected since the start", [("code", code)]).set(n)
    }
  }
}
