import Base
import Bus
import Configuration
import Events
import Notifier
import Requests
import Service
import Table
import Testing

/// A configuration from a text, as the file `b.yaml`.
func configuration(_ yaml: String) throws -> Configuration {
  try Configuration.load(path: "b.yaml", environment: [:]) { _, _ in Array(yaml.utf8) }.configuration
}

@Suite struct SetupTests {
  @Test func `without tables there is alerts`() throws {
    let settings = try MemberSettings(configuration("cluster: town"))
    #expect(settings.schema === Schema.alerts)
    #expect(settings.topicSpecs.map(\.name).contains("town.table.alerts"))
    #expect(settings.registry.cluster == "town")
  }

  @Test func `every setting of the table and of the publisher arrives`() throws {
    let settings = try MemberSettings(
      configuration(
        """
        cluster: town
        member: { id: noc-a }
        kafka: { partitions: 3 }
        commit_ms: 70
        sweep: { interval_ms: 2000, drain_ms: 50, grace_ms: 9000, interval_max_ms: 7000 }
        events: { unknown_fields: refuse, bytes_max: 5000, cleared_kept_ms: 8000 }
        """))
    #expect(settings.memberID == "noc-a")
    #expect(settings.table.partitions == 3)
    #expect(settings.table.unknownFields == .refuse)
    #expect(settings.table.eventBytesMax == 5_000)
    #expect(settings.table.clearedKept == .seconds(8))
    #expect(settings.commitInterval == .milliseconds(70))
    #expect(settings.drainInterval == .milliseconds(50))
    #expect(settings.registry.intervalDefault == .seconds(2))
    #expect(settings.throttle.intervalMax == .seconds(7))
    #expect(settings.registry.grace == .seconds(9))
    let events = settings.topicSpecs.first { $0.name == "town.events" }
    #expect(events?.partitions == 3)
  }

  @Test(arguments: [("keep", EventDecoder.UnknownFields.keep), ("drop", .drop), ("refuse", .refuse)])
  func `the word for unknown fields is the table's`(word: String, expected: EventDecoder.UnknownFields) throws
  {
    let settings = try MemberSettings(configuration("events: { unknown_fields: \(word) }"))
    #expect(settings.table.unknownFields == expected)
  }

  @Test func `a declared table has the columns, rules and defaults that it says`() throws {
    let schema = try Schema.of(
      configuration(
        """
        tables:
          calls:
            key: [Line, Node]
            columns:
              Node: string
              Line: int
              Tally: { type: int, default: 1, on_duplicate: increment }
              Loss: { type: real, default: 2, on_duplicate: max }
              Up: { type: bool, default: true, on_duplicate: replace }
              Since: { type: time, default: 7, on_duplicate: min }
              FirstOccurrence: time
              LastOccurrence: { type: time, on_duplicate: latest }
        """))
    #expect(schema.table == "calls")
    #expect(schema.key == [1, 0])
    #expect(
      schema.columns == [
        Column("Node", .string), Column("Line", .int), Column("Tally", .int, .increment, default: .int(1)),
        Column("Loss", .real, .max, default: .real(2)), Column("Up", .bool, .replace, default: .bool(true)),
        Column("Since", .time, .min, default: .time(7)),
        Column("FirstOccurrence", .time, defaultsToRecordTime: true),
        Column("LastOccurrence", .time, .latest, defaultsToRecordTime: true),
      ])
  }

  @Test func `a column named as a time of occurrence that is none begins as its default`() throws {
    let schema = try Schema.of(
      configuration("tables: { t: { key: [A], columns: { A: string, FirstOccurrence: int } } }"))
    #expect(schema.columns[1] == Column("FirstOccurrence", .int))
  }

  @Test func `a second table is an error at its place`() throws {
    let twice = try configuration(
      """
      tables:
        calls: { key: [A], columns: { A: string } }
        lines: { key: [A], columns: { A: string } }
      """)
    let error = #expect(throws: Diagnostic.self) { _ = try MemberSettings(twice) }
    #expect(error?.description == "b.yaml:3:3: a cluster has one table; calls is declared already")
  }
}
