#!/bin/bash
# Belfry's figures on a throwaway Kafka (docs/benchmarks.md says what they mean).
#   KAFKA_HOME=/opt/kafka Benchmarks/run.sh [ingest] [clients] [restore] [matching] [aggregates] [canonical] [decode]
#     [endtoend] [flush] [exactlyonce] [soak]
# All but soak without a name; matching, aggregates, canonical and decode need no Kafka. Sizes come from the
# environment; the defaults are those of docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

EVENTS=${EVENTS:-2000000}                 # ingest: events
ROWS=${ROWS:-200000}                      # ingest and clients: rows that they fall on
EVENT_BYTES=${EVENT_BYTES:-300}
ROUNDS=${ROUNDS:-3}                       # ingest: pairs of runs, one after the other
SEED=${SEED:-1}
PARTITIONS=${PARTITIONS:-8}
COMMIT_MS=${COMMIT_MS:-100}
CLIENTS_FEW=${CLIENTS_FEW:-100}
CLIENTS_MANY=${CLIENTS_MANY:-10000}
REQUESTS=${REQUESTS:-100}                 # clients: distinct requests
LOAD=${LOAD:-2000}                        # clients: events a second meanwhile
WINDOW=${WINDOW:-60}                      # clients: seconds of each measurement
CLIENT_ROUNDS=${CLIENT_ROUNDS:-2}
RENEW_MS=${RENEW_MS:-10000}
LEASE_MS=${LEASE_MS:-60000}
RESTORE_ROWS=${RESTORE_ROWS:-1000000}
E2E=${E2E:-1000:1000000 10000:400000 100000:200000}   # endtoend: counts:events, in turn
E2E_ROWS=${E2E_ROWS:-100000}
E2E_WINDOW=${E2E_WINDOW:-60}              # endtoend: seconds of one program at most
E2E_ROUNDS=${E2E_ROUNDS:-1}
E2E_INTERVAL_MS=${E2E_INTERVAL_MS:-1000}
FLUSHES=${FLUSHES:-500}                   # flush: round trips of each kind
FLUSH_LOAD=${FLUSH_LOAD:-5000}            # flush: events a second meanwhile
EO_EVENTS=${EO_EVENTS:-1000000}           # exactlyonce: events
EO_COMMITS=${EO_COMMITS:-1000 100}        # exactlyonce: commit intervals, ms
EO_ROUNDS=${EO_ROUNDS:-3}
SOAK=${SOAK:-3600}                        # soak: seconds
SOAK_LOAD=${SOAK_LOAD:-40000}             # soak: events a second: half of what two cores take with their producer
TIMEOUT=${TIMEOUT:-900}                   # seconds for any one step
BELFRY=${BELFRY:-}                        # the program; empty: a release build is made

die() { echo "bench: $*" >&2; exit 1; }
say() { echo "bench: $*" >&2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/belfry-bench.XXXXXX")
broker= serve= relay= background= clients=

stop() { # pid: ask, wait, insist
  [ -n "$1" ] || return 0
  kill "$1" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
finish() {
  local status=$?
  stop "$background"; stop "$clients"; stop "$relay"; stop "$serve"; stop "$broker"
  if [ $status -ne 0 ] && [ -z "${KEEP:-}" ]; then tail -n 5 "$work"/*.log >&2 2>/dev/null || true; fi
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# --- the programs

build() {
  cc -O2 -o "$work/relay" Benchmarks/relay.c -lrdkafka
  cc -O2 -o "$work/load" Benchmarks/load.c -lrdkafka -lm
  [ -n "$BELFRY" ] && return
  swift build -c release --product belfry >&2
  BELFRY=$(swift build -c release --show-bin-path)/belfry
}
load() { "$work/load" "$@"; }
value() { awk -v n="$1" '$1 == n { print $2 }' "$2"; }       # NAME FILE: of `name value` lines
calc() { awk "BEGIN { printf \"$1\", $2 }"; }                # FORMAT EXPRESSION

build_endtoend() {
  cc -O2 -o "$work/counts" Benchmarks/counts.c -lrdkafka -lm
  cc -O2 -c -IBenchmarks/Scan/include -o "$work/scan.o" Benchmarks/Scan/scan.c
  g++ -std=c++17 -O2 -IBenchmarks/Scan/include -o "$work/peer" Benchmarks/peer.cpp "$work/scan.o" \
    -lrdkafka -lsimdjson ||
    die "the peer could not be built: it needs libsimdjson-dev"
}

# --- the broker

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

start_broker() {
  local port controller
  [ -n "${KAFKA_HOME:-}" ] || die "KAFKA_HOME is not set: it must name an unpacked Apache Kafka"
  [ -x "$KAFKA_HOME/bin/kafka-server-start.sh" ] || die "no bin/kafka-server-start.sh in KAFKA_HOME=$KAFKA_HOME"
  port=$(free_port); controller=$(free_port)
  mkdir -p "$work/kafka/data" "$work/kafka/logs"
  cat >"$work/kafka/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$work/kafka/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.segment.delete.delay.ms=1000
P
  export LOG_DIR=$work/kafka/logs
  export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xms1G -Xmx1G}
  export KAFKA_JVM_PERFORMANCE_OPTS=${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseParallelGC}
  local uuid
  uuid=$("$KAFKA_HOME/bin/kafka-storage.sh" random-uuid)
  "$KAFKA_HOME/bin/kafka-storage.sh" format -t "$uuid" -c "$work/kafka/server.properties" >"$work/broker.log" 2>&1 ||
    { cat "$work/broker.log" >&2; die "the broker's storage could not be made"; }
  "$KAFKA_HOME/bin/kafka-server-start.sh" "$work/kafka/server.properties" >>"$work/broker.log" 2>&1 </dev/null &
  broker=$!
  bootstrap=127.0.0.1:$port
  local try
  for try in $(seq 120); do                      # a topic each: one whose answer came too late is there all the same
    kill -0 "$broker" 2>/dev/null || die "the broker ended"
    load create "$bootstrap" "bench-ready-$try" 1 2>/dev/null && return
    sleep 0.5
  done
  die "the broker did not become ready"
}

# --- the service

# CLUSTER: a member of a fresh or known cluster; sets `serve` and `http`.
start_serve() {
  http=127.0.0.1:$(free_port)
  cat >"$work/$1.yaml" <<Y
cluster: $1
kafka: { bootstrap: "$bootstrap", partitions: $PARTITIONS }
http: { listen: "$http" }
commit_ms: $COMMIT_MS
Y
  "$BELFRY" serve -c "$work/$1.yaml" >>"$work/$1.log" 2>&1 </dev/null &
  serve=$!
}
stop_serve() { stop "$serve"; serve=; }

wait_ready() {
  local until=$((SECONDS + TIMEOUT))
  until curl -sf -o /dev/null "http://$http/readyz"; do
    kill -0 "$serve" 2>/dev/null || die "belfry serve ended"
    [ $SECONDS -lt $until ] || die "belfry serve did not become ready"
    sleep 0.05
  done
}

# NAME: a metric without labels; 0 where it is not there yet.
metric() { curl -s "http://$http/metrics" | awk -v n="$1" '$1 == n { v = $2 } END { print v + 0 }'; }

# CPU seconds of a process so far, and its resident bytes.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat"; }
resident() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$1/status"; }

# CLUSTER EVENTS ROWS SEED
prefill() {
  load create "$bootstrap" "$1.events" "$PARTITIONS"
  load produce "$bootstrap" "$1.events" "$2" "$3" "$EVENT_BYTES" "$4" 0 >"$work/prefill.$1"
}

# TOPIC...: keeps 100 MB a partition of them, so that an hour of events fits on the disk. Nothing restores from them.
retain() {
  local topic
  for topic in "$@"; do
    "$KAFKA_HOME/bin/kafka-configs.sh" --bootstrap-server "$bootstrap" --alter --entity-type topics --entity-name "$topic" \
      --add-config cleanup.policy=[compact,delete],segment.bytes=50000000,retention.bytes=100000000 >>"$work/broker.log" 2>&1
  done
}

# Topics that are not needed any more: their pages and disk are the next run's.
discard() { local topic; for topic in "$@"; do load delete "$bootstrap" "$topic"; done; }

# --- the table of results

rows=()
result() { rows+=("$1|$2|$3"); say "$1: $2${3:+ ($3)}"; }    # FIGURE MEASURED TARGET
print_results() {
  printf '\n%s cores, %s, librdkafka %s\n\n' "$(nproc)" "$(uname -sm)" "$(pkg-config --modversion rdkafka)"
  printf '| %-58s | %-26s | %-16s |\n' figure measured target
  printf '| %-58s | %-26s | %-16s |\n' --- --- ---
  local row
  for row in "${rows[@]}"; do
    IFS='|' read -r figure measured target <<<"$row"
    printf '| %-58s | %-26s | %-16s |\n' "$figure" "$measured" "$target"
  done
}
median() { tr ' ' '\n' <<<"$*" | sort -g | awk 'NF { v[++n] = $1 } END { print n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }'; }

# --- ingest

# CLUSTER: times Belfry over the cluster's events; leaves the rate in `rate`, CPU seconds in `spent`.
time_serve() {
  start_serve "$1"
  load follow "$bootstrap" "$1.table" "$1.events" 0 "$TIMEOUT" 0 "$serve" >"$work/follow.$1"
  rate=$(value rate "$work/follow.$1"); spent=$(cpu "$serve")
  stop_serve
}
# CLUSTER VALUE_BYTES HEADER_BYTES: the same for the relay, in a group of its own.
time_relay() {
  load create "$bootstrap" "$1.relay.$3" "$PARTITIONS"
  "$work/relay" "$bootstrap" "$1.events" "$1.relay.$3" "$1.relay.$3" "$2" "$3" "$COMMIT_MS" >>"$work/relay.log" 2>&1 &
  relay=$!
  load follow "$bootstrap" "$1.relay.$3" "$1.events" 0 "$TIMEOUT" 0 "$relay" >"$work/follow.$1.relay"
  rate=$(value rate "$work/follow.$1.relay"); spent=$(cpu "$relay")
  stop "$relay"; relay=
}

bench_ingest() {
  local ours=() theirs=() theirs_headers=() ratios=() ours_cpu=() theirs_cpu=() round value_bytes headers
  say "ingest: a first run, not counted, tells what the changelog's records weigh"
  prefill bench-warm $((EVENTS / 10)) "$ROWS" "$SEED"
  time_serve bench-warm
  for round in $(seq "$ROUNDS"); do
    local cluster=bench-ingest-$round
    prefill "$cluster" "$EVENTS" "$ROWS" $((SEED + round))
    time_serve "$cluster"
    ours+=("$rate"); ours_cpu+=("$spent")
    load size "$bootstrap" "$cluster.table.alerts" 500000 >"$work/size"
    value_bytes=$(value value "$work/size"); headers=$(value headers "$work/size")
    time_relay "$cluster" $((value_bytes + headers)) 0
    theirs+=("$rate"); theirs_cpu+=("$spent")
    time_relay "$cluster" "$value_bytes" "$headers"
    theirs_headers+=("$rate")
    ratios+=("$(calc %.3f "${ours[-1]} / ${theirs[-1]}")")
    discard "$cluster.events" "$cluster.table.alerts" "$cluster.relay.0" "$cluster.relay.$headers"
    say "round $round: belfry ${ours[-1]}/s, relay ${theirs[-1]}/s, with headers ${theirs_headers[-1]}/s; ${ratios[-1]} x"
  done
  result "ingest: Belfry, events a second" "$(median "${ours[@]}")" ""
  result "ingest: relay in C, events a second" "$(median "${theirs[@]}")" ""
  result "ingest: Belfry / relay (median of ${#ratios[@]})" "$(median "${ratios[@]}") x" ">= 0.7"
  result "ingest: relay that writes a header too, events a second" "$(median "${theirs_headers[@]}")" ""
  result "ingest: Belfry / relay with a header" \
    "$(calc %.3f "$(median "${ours[@]}") / $(median "${theirs_headers[@]}")") x" ""
  result "ingest: CPU seconds a million events, Belfry; relay" \
    "$(calc %.2f "$(median "${ours_cpu[@]}") * 1e6 / $EVENTS"); $(calc %.2f "$(median "${theirs_cpu[@]}") * 1e6 / $EVENTS")" ""
  result "ingest: bytes of a changelog record: value + headers" "$value_bytes + $headers" ""
}

# --- clients

# CLUSTER CLIENTS: begins to keep their requests up; leaves the process in `clients`, how long it took in `registered`.
register() {
  rm -f "$work/clients"
  "$work/load" clients "$bootstrap" "$1" "$2" "$REQUESTS" "$LEASE_MS" "$RENEW_MS" "$TIMEOUT" \
    >"$work/clients" 2>>"$work/clients.log" &
  clients=$!
  until [ -s "$work/clients" ]; do
    kill -0 "$clients" 2>/dev/null || die "the clients gave up"
    sleep 0.1
  done
  registered=$(value registered "$work/clients")
}

# CLIENTS: CPU seconds of the service over one window; leaves them in `spent`.
window() {
  local before
  register bench-clients "$1"
  sleep $((RENEW_MS / 1000))
  before=$(cpu "$serve")
  sleep "$WINDOW"
  spent=$(calc %.2f "$(cpu "$serve") - $before")
  stop "$clients"; clients=
}

bench_clients() {
  local few=() many=() times=() round
  prefill bench-clients "$ROWS" "$ROWS" "$SEED"
  start_serve bench-clients
  load follow "$bootstrap" bench-clients.table bench-clients.events 0 "$TIMEOUT" 0 "$serve" >/dev/null
  wait_ready
  "$work/load" produce "$bootstrap" bench-clients.events 0 "$ROWS" "$EVENT_BYTES" "$SEED" "$LOAD" >"$work/load.log" 2>&1 &
  background=$!
  # What a transaction costs rises by a tenth while the broker gets warm: a first window is not counted, and each other
  # round takes the two the other way round.
  window "$CLIENTS_FEW"
  for round in $(seq "$CLIENT_ROUNDS"); do
    if [ $((round % 2)) -eq 1 ]; then window "$CLIENTS_FEW"; few+=("$spent"); fi
    window "$CLIENTS_MANY"; many+=("$spent"); times+=("$registered")
    if [ $((round % 2)) -eq 0 ]; then window "$CLIENTS_FEW"; few+=("$spent"); fi
    say "round $round: $CLIENTS_FEW clients ${few[-1]} s, $CLIENTS_MANY clients ${many[-1]} s of CPU, registered in $registered s"
  done
  stop "$background"; background=
  stop_serve
  local a b
  a=$(median "${few[@]}"); b=$(median "${many[@]}")
  result "clients: CPU seconds in $WINDOW s, $CLIENTS_FEW on $REQUESTS requests" "$a" ""
  result "clients: CPU seconds in $WINDOW s, $CLIENTS_MANY on $REQUESTS requests" "$b" ""
  result "clients: $CLIENTS_MANY / $CLIENTS_FEW" "$(calc %.3f "$b / $a") x" "<= 1.05"
  result "clients: registering $CLIENTS_MANY" "$(median "${times[@]}") s" ""
}

# --- flush

bench_flush() {
  cc -O2 -o "$work/flush" Benchmarks/flush.c -lrdkafka -lm
  prefill bench-flush "$ROWS" "$ROWS" "$SEED"
  start_serve bench-flush
  load follow "$bootstrap" bench-flush.table bench-flush.events 0 "$TIMEOUT" 0 "$serve" >/dev/null
  wait_ready
  load create "$bootstrap" bench-flush-plain 1
  "$work/load" produce "$bootstrap" bench-flush.events 0 "$ROWS" "$EVENT_BYTES" "$SEED" "$FLUSH_LOAD" \
    >"$work/load.log" 2>&1 &
  background=$!
  "$work/flush" "$bootstrap" bench-flush bench-flush-plain "$FLUSHES" "$TIMEOUT" >"$work/flushes"
  stop "$background"; background=
  stop_serve
  result "flush: round trip beside $FLUSH_LOAD events/s, median; p99" \
    "$(value flush_median "$work/flushes"); $(value flush_p99 "$work/flushes") ms" ""
  result "flush: one plain transaction and its reading, median; p99" \
    "$(value plain_median "$work/flushes"); $(value plain_p99 "$work/flushes") ms" ""
  result "flush: medians, flush / plain" \
    "$(calc %.2f "$(value flush_median "$work/flushes") / $(value plain_median "$work/flushes")") x" ""
}

# --- soak: every change at once, and what the process holds

descriptors() { ls "/proc/$1/fd" | wc -l; }
# What the service holds now, as `resident / descriptors / threads`.
held() {
  calc "%.0f MiB / $(descriptors "$serve") / $(ls "/proc/$serve/task" | wc -l)" "$(resident "$serve") / 1048576"
}

bench_soak() {
  local start middle end before
  cc -O2 -o "$work/live" Benchmarks/live.c -lrdkafka -lm
  prefill bench-soak "$ROWS" "$ROWS" "$SEED"
  start_serve bench-soak
  load follow "$bootstrap" bench-soak.table bench-soak.events 0 "$TIMEOUT" 0 "$serve" >/dev/null
  wait_ready
  retain bench-soak.events bench-soak.table.alerts
  register bench-soak "$CLIENTS_FEW"
  "$work/load" produce "$bootstrap" bench-soak.events 0 "$ROWS" "$EVENT_BYTES" "$SEED" "$SOAK_LOAD" \
    >"$work/load.log" 2>&1 &
  background=$!
  sleep 30
  start=$(held); before=$(cpu "$serve")
  "$work/live" "$bootstrap" bench-soak "$((SOAK / 2))" "$TIMEOUT" >"$work/live.1" || die "the immediate stream"
  middle=$(held)
  "$work/live" "$bootstrap" bench-soak "$((SOAK / 2))" "$TIMEOUT" >"$work/live.2" || die "the immediate stream"
  end=$(held)
  result "soak: CPU, cores" "$(calc %.2f "($(cpu "$serve") - $before) / $SOAK")" ""
  stop "$clients"; stop "$background"; clients= background=
  stop_serve
  result "soak: $SOAK s of $SOAK_LOAD events/s: held at the start" "$start" ""
  result "soak: at half of it" "$middle" ""
  result "soak: at the end" "$end" ""
  local half
  for half in 1 2; do
    result "soak: event to immediate stream, half $half: median; p99" \
      "$(value median "$work/live.$half"); $(value p99 "$work/live.$half") ms" ""
    result "soak: the longest of so many" "$(value longest "$work/live.$half") ms of $(value changes "$work/live.$half")" ""
  done
}

# --- what exactly once costs

# CLUSTER COMMIT_MS plain|transactions: the relay over the cluster's events, as time_relay.
time_relay_committing() {
  local out=$1.relay.$3.$2 how=()
  [ "$3" = plain ] && how=(plain)
  load create "$bootstrap" "$out" "$PARTITIONS"
  "$work/relay" "$bootstrap" "$1.events" "$out" "$out" 658 0 "$2" "${how[@]}" >>"$work/relay.log" 2>&1 &
  relay=$!
  load follow "$bootstrap" "$out" "$1.events" 0 "$TIMEOUT" 0 "$relay" >"$work/follow.$out"
  rate=$(value rate "$work/follow.$out"); spent=$(cpu "$relay")
  stop "$relay"; relay=
  discard "$out"
}

bench_exactlyonce() {
  local commit how round cluster
  local -A rates=() cpus=()
  for round in $(seq "$EO_ROUNDS"); do
    for commit in $EO_COMMITS; do
      cluster=bench-eo-$commit-$round
      prefill "$cluster" "$EO_EVENTS" "$ROWS" $((SEED + round))
      for how in plain transactions; do
        time_relay_committing "$cluster" "$commit" "$how"
        rates[$how.$commit]+=" $rate"; cpus[$how.$commit]+=" $spent"
      done
      COMMIT_MS=$commit time_serve "$cluster"
      rates[belfry.$commit]+=" $rate"; cpus[belfry.$commit]+=" $spent"
      discard "$cluster.events" "$cluster.table.alerts"
    done
  done
  million() { calc %.2f "$(median ${cpus[$1]}) * 1e6 / $EO_EVENTS"; }
  for commit in $EO_COMMITS; do
    result "exactlyonce: $commit ms: relay, events/s: plain; transactions" \
      "$(median ${rates[plain.$commit]}); $(median ${rates[transactions.$commit]})" ""
    result "exactlyonce: $commit ms: relay, transactions / plain" \
      "$(calc %.3f "$(median ${rates[transactions.$commit]}) / $(median ${rates[plain.$commit]})") x" ""
    result "exactlyonce: $commit ms: relay, CPU s a million: plain; transactions" \
      "$(million "plain.$commit"); $(million "transactions.$commit")" ""
    result "exactlyonce: $commit ms: Belfry, events/s; CPU s a million" \
      "$(median ${rates[belfry.$commit]}); $(million "belfry.$commit")" ""
  done
}

# --- restore, and memory

bench_restore() {
  local started empty seconds base full contents swept
  prefill bench-restore "$RESTORE_ROWS" "$RESTORE_ROWS" "$SEED"
  start_serve bench-restore
  load follow "$bootstrap" bench-restore.table bench-restore.events 0 "$TIMEOUT" 0 "$serve" >/dev/null
  stop_serve
  load size "$bootstrap" bench-restore.table.alerts "$RESTORE_ROWS" >"$work/size"
  contents=$(value contents "$work/size")
  start_serve bench-empty                        # makes its topics
  wait_ready
  stop_serve
  started=$(date +%s%N)
  start_serve bench-empty
  wait_ready
  empty=$(calc %.2f "($(date +%s%N) - $started) / 1e9")
  base=$(resident "$serve")
  stop_serve
  started=$(date +%s%N)
  start_serve bench-restore
  wait_ready
  seconds=$(calc %.2f "($(date +%s%N) - $started) / 1e9")
  full=$(resident "$serve")
  register bench-restore "$CLIENTS_FEW"
  stop "$clients"; clients=                      # the requests stand until their leases are over
  stop_serve
  started=$(date +%s%N)
  start_serve bench-restore
  until [ "$(metric belfry_sweeps_total)" -gt 0 ]; do
    kill -0 "$serve" 2>/dev/null || die "belfry serve ended"
    sleep 0.05
  done
  swept=$(calc %.2f "($(date +%s%N) - $started) / 1e9")
  stop_serve
  result "restore: start to first sweep of $REQUESTS requests" "$swept s" ""
  result "restore: $RESTORE_ROWS rows, start to ready" "$seconds s" ""
  result "restore: rows a second" "$(calc %.0f "$RESTORE_ROWS / $seconds")" ""
  result "restore: a start without rows" "$empty s" ""
  local row
  row=$(calc %.0f "($full - $base) / $RESTORE_ROWS")
  result "memory: bytes a row; of its values" "$row; $contents" ""
  result "memory: a row / its values" "$(calc %.2f "$row / $contents") x" ""
}

# --- matching, decoding: no Kafka

bench_matching() {                                           # prints tables of its own
  swift build -c release --product MatchingBenchmark >&2
  "$(swift build -c release --show-bin-path)/MatchingBenchmark"
}

bench_aggregates() {
  swift build -c release --product AggregateBenchmark >&2
  "$(swift build -c release --show-bin-path)/AggregateBenchmark"
}

bench_canonical() {
  swift build -c release --product CanonicalBenchmark >&2
  "$(swift build -c release --show-bin-path)/CanonicalBenchmark"
}

bench_decode() {
  swift build -c release --product DecodeBenchmark >&2
  "$(swift build -c release --show-bin-path)/DecodeBenchmark" >"$work/decode"
  result "decode: jansson's parse of $(value event_bytes "$work/decode") B, ns" "$(value jansson_ns "$work/decode")" ""
  result "decode: into typed columns; and dictionary codes, ns" \
    "$(value columns_ns "$work/decode"); $(value codes_ns "$work/decode")" ""
  result "decode: jansson / columns with codes" "$(value ratio_codes "$work/decode") x" ">= 10 (aim 15)"
}

# --- end to end

# GROUP TOPIC MARKERS PID: leaves `rate`, `spent` (CPU seconds a million events) and `remaining` (events for which the
# window was too short).
follow_window() {
  load follow "$bootstrap" "$1" "$2" "$3" "$TIMEOUT" "$E2E_WINDOW" "$4" >"$work/follow.e2e"
  rate=$(value rate "$work/follow.e2e"); spent=$(value cpu_million "$work/follow.e2e")
  remaining=$(calc %.0f "$(value end "$work/follow.e2e") - $(value reached "$work/follow.e2e")")
}

# CLUSTER NAME CHANGELOG|- FILTERS: times a peer; its counts are then in counts.NAME.
time_peer() {
  load create "$bootstrap" "$1.counts.$2" 1
  [ "$3" = - ] || load create "$bootstrap" "$3" "$PARTITIONS"
  "$work/peer" "$bootstrap" "$1.copy" "$1.$2" "$1.counts.$2" "$3" "$4" "$E2E_ROWS" "$SEED" "$E2E_INTERVAL_MS" \
    "$COMMIT_MS" "$work/counts.$2" >>"$work/peer.log" 2>&1 &
  relay=$!
  follow_window "$1.$2" "$1.copy" 1 "$relay"
  stop "$relay"; relay=
}

# CLUSTER FILTERS EVENTS SEED TIME EXPECTED: the same for Belfry. Its requests stand before it sees an event: the events
# lie in a transaction until then. With EXPECTED, its published counts must become those of that file.
time_belfry() {
  load create "$bootstrap" "$1.events" "$PARTITIONS"
  mkfifo "$work/gate.$1"
  "$work/load" gate "$bootstrap" "$1.events" "$3" "$E2E_ROWS" "$EVENT_BYTES" "$4" "$5" \
    <"$work/gate.$1" >"$work/gated.$1" 2>>"$work/load.log" &
  background=$!
  exec 9>"$work/gate.$1"                                       # opens when the events' writer does
  start_serve "$1"
  wait_ready
  "$work/counts" register "$bootstrap" "$1" "$2" "$E2E_ROWS" "$SEED" "$E2E_INTERVAL_MS" "$TIMEOUT" \
    >"$work/registered"
  until [ -s "$work/gated.$1" ]; do
    kill -0 "$background" 2>/dev/null || die "the events could not be written"
    sleep 0.1
  done
  { sleep 1; echo >&9; } &                                     # once the watcher looks
  follow_window "$1.table" "$1.events" 0 "$serve"
  exec 9>&-
  wait "$background"; background=
  if [ -n "$6" ] && [ "$remaining" -eq 0 ]; then
    "$work/counts" settled "$bootstrap" "$1.lanes.view" "$6" "$TIMEOUT" >"$work/settled" ||
      die "Belfry's published counts are not the peer's"
  fi
  stop_serve
}

# FILTERS EVENTS
bench_counts() {
  local filters=$1 events=$2 round cluster expected time
  local ours=() bare=() logged=() ours_cpu=() bare_cpu=() logged_cpu=() to_bare=() to_logged=()
  for round in $(seq "$E2E_ROUNDS"); do
    cluster=bench-e2e-$filters-$round
    time=$(date +%s)000
    load create "$bootstrap" "$cluster.copy" "$PARTITIONS"
    load gate "$bootstrap" "$cluster.copy" "$events" "$E2E_ROWS" "$EVENT_BYTES" $((SEED + round)) "$time" \
      </dev/null >>"$work/load.log"
    time_peer "$cluster" bare - "$filters"
    bare+=("$rate"); bare_cpu+=("$spent")
    expected=; [ "$remaining" -gt 0 ] || expected=$work/counts.bare
    time_peer "$cluster" logged "$cluster.changes" "$filters"
    logged+=("$rate"); logged_cpu+=("$spent")
    if [ -n "$expected" ] && [ "$remaining" -eq 0 ]; then
      cmp -s "$work/counts.bare" "$work/counts.logged" || die "the two peers do not agree"
    fi
    discard "$cluster.copy" "$cluster.changes"
    time_belfry "$cluster" "$filters" "$events" $((SEED + round)) "$time" "$expected"
    ours+=("$rate"); ours_cpu+=("$spent")
    to_bare+=("$(calc %.3f "${ours[-1]} / ${bare[-1]}")"); to_logged+=("$(calc %.3f "${ours[-1]} / ${logged[-1]}")")
    discard "$cluster.events" "$cluster.table.alerts"
    say "$filters counts, round $round: belfry ${ours[-1]}/s, peer ${bare[-1]}/s, with changelog ${logged[-1]}/s"
  done
  local target="" log_target=""
  case $filters in
    1000) target=">= 1 (aim 2)"; log_target=">= 1.5" ;;
    10000) target=">= 3 (aim 15)" ;;
  esac
  result "endtoend: $filters counts: events a second, Belfry" "$(median "${ours[@]}")" ""
  result "endtoend: $filters counts: peer that keeps nothing; that logs" \
    "$(median "${bare[@]}"); $(median "${logged[@]}")" ""
  result "endtoend: $filters counts: Belfry / peer that keeps nothing" "$(median "${to_bare[@]}") x" "$target"
  result "endtoend: $filters counts: Belfry / peer that logs" "$(median "${to_logged[@]}") x" "$log_target"
  result "endtoend: $filters counts: CPU s a million, Belfry; peers" \
    "$(median "${ours_cpu[@]}"); $(median "${bare_cpu[@]}"); $(median "${logged_cpu[@]}")" ""
  result "endtoend: $filters counts: published counts equal the peer's" \
    "$([ -n "$expected" ] && echo yes || echo "not asked: window")" "yes"
}

bench_endtoend() {
  local pair
  build_endtoend
  for pair in $E2E; do bench_counts "${pair%:*}" "${pair#*:}"; done
}

[ $# -gt 0 ] || set -- ingest clients restore matching aggregates canonical decode endtoend flush exactlyonce
for name in "$@"; do
  case $name in
    matching | aggregates | canonical | decode) "bench_$name" ;;
    ingest | clients | restore | endtoend | flush | exactlyonce | soak)
      if [ -z "$broker" ]; then
        build
        start_broker
        say "broker at $bootstrap"
      fi
      "bench_$name"
      ;;
    *)
      die "no benchmark is called $name: ingest, clients, restore, matching, aggregates, canonical, decode, endtoend," \
        "flush, exactlyonce, soak"
      ;;
  esac
done
if [ ${#rows[@]} -gt 0 ]; then print_results; fi
