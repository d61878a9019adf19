import Configuration

extension CommandTable {
  private static let defaults = Configuration()
  private static let config = CommandOption(
    "config", letter: "c", value: "FILE", .file, default: "none, all keys at their defaults",
    "the configuration's YAML file")
  private static let json = CommandOption("json", "JSON lines, also on a terminal")
  private static let http = CommandOption(
    "http", value: "ADDRESS:PORT", default: "\(defaults.http.listen)", "the member's HTTP address")
  private static let clientName = CommandOption(
    "client", value: "NAME", default: "USER@MACHINE", "on whose behalf")

  /// Where the cluster is.
  private static let place = [
    config,
    CommandOption(
      "bootstrap", value: "HOST:PORT", default: "127.0.0.1:9092", "where Kafka is; wins over the file"),
    CommandOption(
      "cluster", value: "NAME", default: defaults.cluster, "the cluster's name; wins over the file"),
    http,
  ]

  /// What every command takes that talks to a cluster from outside.
  private static let client = place + [json]

  private static let sql = CommandArgument("SQL", "a SELECT, as one argument")

  /// All that `belfry` can do.
  public static let belfry = CommandTable([
    Command(
      "serve", "run one member in the foreground; SIGTERM leaves cleanly, SIGHUP reads pipelines again",
      options: place,
      examples: ["belfry serve -c belfry.yaml"]),
    Command(
      "demo", "a broker, probes and requests in this process: something to see at once",
      options: [
        CommandOption(
          "http", value: "ADDRESS:PORT", default: "127.0.0.1, any free port", "where to serve HTTP")
      ], examples: ["belfry demo"]),
    Command(
      "subscribe", "request a view and follow its stream; ^C ends the request", arguments: [sql],
      options: [
        CommandOption(
          "mode", value: "MODE", .choice(["net", "all", "immediate"]), default: "net",
          "net: the rows as they are; all: every change, with the row before; immediate: every change at once"
        ),
        CommandOption(
          "interval", value: "TIME", .duration, default: "the cluster's sweep.interval_ms",
          "how often it is published, such as 5s"),
        CommandOption(
          "name", value: "NAME", default: "one of its own", "the request's name, for unsubscribe and links"),
        CommandOption(
          "placement", value: "WHERE", .choice(["own", "lane"]), default: "own for rows, lane for metrics",
          "a topic of its own, or a shared one"),
        CommandOption(
          "link", value: "NAME", default: "none", "publish together with the requests of the same link"),
        CommandOption(
          "lease", value: "TIME", .duration, default: "60s", "end the request unless it is renewed"),
        CommandOption(
          "store-and-forward",
          "^C leaves the request, and its stream collects for it until it is back under --name; with --mode all"
        ),
        CommandOption("from-start", "read the stream from its beginning"),
        CommandOption(
          "from", value: "SEQ", .integer(1...Int.max),
          default: "the rows as they are; 1 with --store-and-forward",
          "show each record from this sequence count on"),
        clientName,
      ] + client,
      examples: [
        "belfry subscribe \"SELECT Node, Severity, Summary FROM alerts WHERE Severity >= 4\"",
        "belfry subscribe --interval 1s \"SELECT Severity, COUNT(*) AS n FROM alerts GROUP BY Severity\"",
      ]),
    Command(
      "unsubscribe", "end a request", arguments: [CommandArgument("NAME", "the request's name")],
      options: [clientName] + client),
    Command("requests", "the standing requests, and the stream that each one reads", options: client),
    Command("streams", "the streams, and how many clients share each", options: client),
    Command(
      "query", "ask a member once", arguments: [sql], options: client,
      examples: ["belfry query \"SELECT COUNT(*) AS n FROM alerts WHERE Severity = 5\""]),
    Command(
      "exec", "insert, update or delete rows; create or drop a named filter or view",
      arguments: [
        CommandArgument(
          "SQL", "INSERT, UPDATE or DELETE; CREATE FILTER|VIEW name AS …; DROP FILTER|VIEW name")
      ],
      options: [
        clientName,
        CommandOption(
          "id", value: "ID", default: "a new one",
          "the command's id: sent again under it, the command gets its answer again and is not done twice"),
        CommandOption(
          "flush", value: "NAME", default: "none",
          "then publish this request of the client's, with the change in it, and say when that is done"),
      ] + client,
      examples: [
        "belfry exec \"UPDATE alerts SET Acknowledged = 1 WHERE Node = 'core-1' AND Severity >= 4\"",
        "belfry exec \"CREATE FILTER core AS Node LIKE 'core-%' AND Severity >= 4\"",
        "belfry subscribe \"SELECT Node, Summary FROM alerts WHERE core\"",
      ]),
    Command(
      "flush", "publish a request's view, and those linked with it, now; says when that is done",
      arguments: [CommandArgument("NAME", "the request's name")],
      options: [
        CommandOption(
          "positions", value: "SHARD=N,…", default: "what the commands before it did",
          "wait, 30 s at most, until the table has reached these changes, as a change's answer names them"),
        clientName,
      ] + client,
      examples: ["belfry flush core-critical --client noc-7 --positions 2=8812"]),
    Command("definitions", "the named filters and views", options: client),
    Command(
      "explain", "a request's canonical form, its id and the columns it reads", arguments: [sql],
      options: client
    ),
    Command(
      "send", "JSON events, one a line, to the events topic",
      arguments: [CommandArgument("FILE", .file, optional: true, "standard input if not given, or -")],
      options: client, examples: ["belfry send events.jsonl"]),
    Command(
      "history", "a stream's records in their order, checked: says gap, repeat, fenced, or complete",
      arguments: [
        CommandArgument("TOPIC|ID", "a stream's topic or id, or a request for it, CLIENT/NAME or NAME")
      ],
      options: [
        CommandOption(
          "from", value: "SEQ", .integer(1...Int.max), default: "1", "the first sequence count to be shown"),
        CommandOption(
          "after", value: "POSITION", .position,
          "go on behind this record, EPOCH:SEQ or EPOCH:SEQ:OFFSET, also into the stream's next life"),
        CommandOption("follow", "go on with what comes, until ^C"), clientName,
      ] + client,
      examples: [
        "belfry history noc-7/core-critical", "belfry history --from 8000 --follow 3f9a0c51b7e2d014",
        "belfry history --after 3:8812 noc-7/core-critical",
      ]),
    Command(
      "dlq list", "events that could not be used, and why",
      options: [CommandOption("limit", value: "N", .integer(1...100_000), default: "100", "the newest N")]
        + client),
    Command(
      "dlq show", "one of them, byte for byte",
      arguments: [CommandArgument("OFFSET", .integer(0...Int.max), "its offset, from dlq list")],
      options: client),
    Command(
      "dlq replay", "send them to the events topic again, each one once",
      arguments: [
        CommandArgument("OFFSET", .integer(0...Int.max), optional: true, "only this one, sent before or not")
      ],
      options: [CommandOption("all", "those that were sent before, too")] + client),
    Command(
      "validate", "check a configuration and show what is in force, secrets masked",
      options: [config], examples: ["belfry validate -c belfry.yaml"]),
    Command(
      "completion", "a script that completes belfry's commands in a shell",
      arguments: [CommandArgument("SHELL", .choice(CompletionShell.allCases.map(\.rawValue)), "the shell")],
      examples: ["source <(belfry completion bash)", "belfry completion fish | source"]),
    Command("version", "the program's version"),
    Command(
      "help", "what there is, or how one command is used",
      arguments: [
        CommandArgument("COMMAND", .command, optional: true, "a command"),
        CommandArgument("WORD", optional: true, "the second word of a command that has two"),
      ]),
  ])
}
