/* What the benchmarks need beside the relay: makes topics and events, plays clients, watches a group.
 *
 *   cc -O2 -o load Benchmarks/load.c -lrdkafka
 *   load create  BOOTSTRAP TOPIC PARTITIONS
 *   load delete  BOOTSTRAP TOPIC
 *   load produce BOOTSTRAP TOPIC EVENTS ROWS BYTES SEED RATE     seeded events; RATE a second, 0: as fast as can be
 *   load gate    BOOTSTRAP TOPIC EVENTS ROWS BYTES SEED TIME_MS  the same in one transaction, which is committed when
 *       standard input ends or has a line; LastOccurrence from TIME_MS on
 *   load follow  BOOTSTRAP GROUP TOPIC MARKERS TIMEOUT_S WINDOW_S PID    until the group's committed positions reach
 *       the end, but for MARKERS offsets a partition (a transaction takes one), or for so long (0: no limit); tells what
 *       CPU time PID took meanwhile
 *   load size    BOOTSTRAP TOPIC RECORDS                         what the topic's records weigh
 *   load clients BOOTSTRAP CLUSTER CLIENTS REQUESTS LEASE_MS RENEW_MS TIMEOUT_S    registers, renews until SIGTERM
 *
 * Results go to standard output as `name value` lines; errors end it with status 1. */
#define _GNU_SOURCE
#include "common.h"

#include <unistd.h>

#include "filters.h"

/* The same events from the same seed. */
static uint64_t random_state;
static uint64_t below(uint64_t limit) { return draw(&random_state, limit); }

/* MARK: create, delete */

static int create(char **a) {
  char text[TEXT];
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, a[0], NULL);
  rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(a[1], atoi(a[2]), 1, text, sizeof text);
  if (!wanted) fail(a[1], text);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(producer);
  rd_kafka_CreateTopics(producer, &wanted, 1, NULL, queue);
  rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
  if (!event) fail(a[1], "no answer");
  if (rd_kafka_event_error(event)) fail(a[1], rd_kafka_event_error_string(event));
  size_t count;
  const rd_kafka_topic_result_t **results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  check(rd_kafka_topic_result_error(results[0]), a[1]);
  rd_kafka_event_destroy(event);
  return 0;
}

static int delete(char **a) {
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, a[0], NULL);
  rd_kafka_DeleteTopic_t *named = rd_kafka_DeleteTopic_new(a[1]);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(producer);
  rd_kafka_DeleteTopics(producer, &named, 1, NULL, queue);
  rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
  if (!event) fail(a[1], "no answer");
  if (rd_kafka_event_error(event)) fail(a[1], rd_kafka_event_error_string(event));
  rd_kafka_event_destroy(event);
  return 0;
}

/* MARK: produce */

/* One event of the `alerts` table. The row's number decides what stays the same; the rest is drawn. */
static size_t write_event(char *out, size_t bytes, uint64_t row, int64_t time) {
  const char *group = alert_groups[row % 8];
  int n = snprintf(
      out, EVENT_MAX,
      "{\"Identifier\":\"core-%06llu:%s:%llu\",\"Node\":\"core-%06llu\",\"Manager\":\"snmp\","
      "\"AlertGroup\":\"%s\",\"AlertKey\":\"port-%llu\",\"Severity\":%d,\"Type\":1,\"Class\":%d,"
      "\"LastOccurrence\":%lld,\"Service\":\"%s\",\"Summary\":\"%s on port %llu: value %llu over its limit ",
      (unsigned long long)(row / 20), group, (unsigned long long)(row % 20), (unsigned long long)(row / 20),
      group, (unsigned long long)(row % 20), (int)(1 + below(5)), (int)(300 + row % 8), (long long)time,
      alert_services[row % 5], group, (unsigned long long)(row % 20), (unsigned long long)below(100000));
  size_t at = (size_t)n;
  for (; at + 2 < bytes; at++) out[at] = (char)('a' + (at * 7 + row) % 26);
  memcpy(out + at, "\"}", 2);
  return at + 2;
}

static size_t write_key(char *out, uint64_t row) {
  return (size_t)snprintf(out, TEXT, "core-%06llu:%s:%llu", (unsigned long long)(row / 20), alert_groups[row % 8],
                          (unsigned long long)(row % 20));
}

/* EVENTS 0: until SIGTERM. Where there are as many events as rows, each row comes once. */
static int produce(char **a) {
  uint64_t events = strtoull(a[2], NULL, 10), rows = strtoull(a[3], NULL, 10);
  size_t bytes = strtoull(a[4], NULL, 10);
  random_state = strtoull(a[5], NULL, 10);
  double rate = atof(a[6]);
  if (rows == 0 || bytes < 16 || bytes >= EVENT_MAX) fail("produce", "ROWS or BYTES out of range");
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, a[0], NULL);
  rd_kafka_topic_t *topic = topic_of(producer, a[1]);
  static char value[EVENT_MAX], key[TEXT];
  double start = now();
  uint64_t sent = 0;
  for (; !stopped && (events == 0 || sent < events); sent++) {
    if (rate > 0 && sent % 16 == 0) sleep_s(start + (double)sent / rate - now());
    uint64_t row = events == rows ? sent : below(rows);
    size_t key_bytes = write_key(key, row);
    send_record(producer, topic, key, key_bytes, value, write_event(value, bytes, row, epoch_ms()));
    if (sent % 1024 == 0 || rate > 0) rd_kafka_poll(producer, 0);
  }
  check(rd_kafka_flush(producer, 60000), "flush");
  double seconds = now() - start;
  printf("events %llu\nseconds %.3f\nrate %.0f\n", (unsigned long long)sent, seconds, (double)sent / seconds);
  return 0;
}

/* MARK: gate */

static void check_transaction(rd_kafka_error_t *error, const char *what) {
  if (error) fail(what, rd_kafka_error_string(error));
}

static rd_kafka_t *transactional(const char *bootstrap, const char *id) {
  char text[TEXT];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  const char *properties[] = {"bootstrap.servers", bootstrap, "transactional.id", id, "transaction.timeout.ms",
                              "900000", "linger.ms", "20", "queue.buffering.max.messages", "1000000", NULL};
  for (const char **p = properties; *p; p += 2)
    if (rd_kafka_conf_set(conf, p[0], p[1], text, sizeof text) != RD_KAFKA_CONF_OK) fail(p[0], text);
  rd_kafka_t *made = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  if (!made) fail("client", text);
  return made;
}

/* The events become visible to read_committed readers all at once. */
static int gate(char **a) {
  uint64_t events = strtoull(a[2], NULL, 10), rows = strtoull(a[3], NULL, 10);
  size_t bytes = strtoull(a[4], NULL, 10);
  random_state = strtoull(a[5], NULL, 10);
  int64_t time = strtoll(a[6], NULL, 10);
  if (rows == 0 || bytes < 16 || bytes >= EVENT_MAX) fail("gate", "ROWS or BYTES out of range");
  rd_kafka_t *producer = transactional(a[0], a[1]);
  rd_kafka_topic_t *topic = topic_of(producer, a[1]);
  static char value[EVENT_MAX], key[TEXT];
  check_transaction(rd_kafka_init_transactions(producer, TIMEOUT_MS), "init_transactions");
  check_transaction(rd_kafka_begin_transaction(producer), "begin");
  for (uint64_t sent = 0; sent < events; sent++) {
    uint64_t row = events == rows ? sent : below(rows);
    size_t key_bytes = write_key(key, row);
    send_record(producer, topic, key, key_bytes, value,
                write_event(value, bytes, row, time + (int64_t)(sent / 100)));
    if (sent % 1024 == 0) rd_kafka_poll(producer, 0);
  }
  check(rd_kafka_flush(producer, 60000), "flush");
  printf("events %llu\n", (unsigned long long)events);
  fflush(stdout);
  (void)getchar();
  check_transaction(rd_kafka_commit_transaction(producer, 60000), "commit");
  return 0;
}

/* MARK: follow */

/* CPU seconds of a process so far. */
static double cpu_of(const char *pid) {
  char path[TEXT], text[TEXT * 4];
  snprintf(path, sizeof path, "/proc/%s/stat", pid);
  FILE *file = fopen(path, "r");
  size_t count = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  text[count] = 0;
  unsigned long user = 0, system = 0;
  const char *rest = strrchr(text, ')');
  if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    fail(pid, "no such process");
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Counts from the first committed positions that are seen to the last, so that starting up is left out. */
static int follow(char **a) {
  rd_kafka_t *watcher = client(RD_KAFKA_CONSUMER, a[0], a[1]);
  rd_kafka_topic_partition_list_t *list = ends_of(watcher, a[2]);
  int64_t end = total(list) - atol(a[3]) * list->cnt, first = 0, reached = 0;
  double limit = now() + atof(a[4]), window = atof(a[5]), start = 0, seconds = 0, cpu = 0;
  while (!stopped && reached < end && (seconds < window || window <= 0)) {
    if (now() > limit) fail(a[1], "its positions did not reach the end in time");
    sleep_s(0.02);
    rd_kafka_resp_err_t code = rd_kafka_committed(watcher, list, TIMEOUT_MS);
    // A broker that has just started looks for its coordinators.
    if (code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
      continue;
    check(code, a[1]);
    reached = total(list);
    if (first == 0 && reached > 0) {
      first = reached;
      start = now();
      cpu = cpu_of(a[6]);
    }
    seconds = start > 0 ? now() - start : 0;
  }
  double done = (double)(reached - first), rate = seconds > 0 ? done / seconds : 0;
  cpu = cpu_of(a[6]) - cpu;
  printf("end %lld\nfirst %lld\nreached %lld\nseconds %.3f\nrate %.0f\ncpu %.2f\ncpu_million %.3f\n", (long long)end,
         (long long)first, (long long)reached, seconds, rate, cpu, done > 0 ? cpu / done * 1e6 : 0);
  return 0;
}

/* MARK: size */

/* The bytes of a flat JSON object's values: of a string its length, of anything else a word of 8. */
static size_t value_bytes(const char *json, size_t count) {
  size_t sum = 0, i = 0;
  while (i < count) {
    while (i < count && json[i] != '"') i++;                               /* a name begins */
    for (i++; i < count && json[i] != '"'; i++) i += json[i] == '\\';      /* and ends */
    i += 2;                                                                /* its quote and the colon */
    if (i >= count) break;
    if (json[i] != '"') {
      sum += 8;
      while (i < count && json[i] != ',') i++;
      continue;
    }
    size_t from = ++i;
    for (; i < count && json[i] != '"'; i++) i += json[i] == '\\';
    sum += i - from;
    i++;
  }
  return sum;
}

struct weights {
  double records, keys, values, headers, header_count, contents;
};

static void weigh(struct weights *w, const rd_kafka_message_t *record) {
  w->records++;
  w->keys += (double)record->key_len;
  w->values += (double)record->len;
  if (record->payload) w->contents += (double)value_bytes(record->payload, record->len);
  rd_kafka_headers_t *headers;
  if (rd_kafka_message_headers(record, &headers)) return;
  const char *name;
  const void *value;
  size_t bytes;
  for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &bytes); i++) {
    w->headers += (double)(strlen(name) + bytes);
    w->header_count++;
  }
}

/* The average of the first RECORDS that a read_committed reader is given. */
static int size(char **a) {
  rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, a[0], NULL);
  rd_kafka_topic_partition_list_t *list = ends_of(reader, a[1]);
  for (int i = 0; i < list->cnt; i++) list->elems[i].offset = 0;
  check(rd_kafka_assign(reader, list), "assign");
  struct weights w = {0};
  double limit = atof(a[2]);
  int ended = 0;
  while (w.records < limit && ended < list->cnt) {
    rd_kafka_message_t *record = rd_kafka_consumer_poll(reader, TIMEOUT_MS);
    if (!record) fail(a[1], "no record in time");
    if (record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended++;
    else if (record->err) fail(a[1], rd_kafka_message_errstr(record));
    else weigh(&w, record);
    rd_kafka_message_destroy(record);
  }
  if (w.records == 0) fail(a[1], "no records");
  printf("records %.0f\nkey %.0f\nvalue %.0f\nheaders %.0f\nheader_count %.1f\ncontents %.0f\n", w.records,
         w.keys / w.records, w.values / w.records, w.headers / w.records, w.header_count / w.records,
         w.contents / w.records);
  return 0;
}

/* MARK: clients */

struct clients {
  rd_kafka_t *producer, *reader;
  rd_kafka_topic_t *requests;
  char *answered;
  long count, distinct, lease_ms, active;
};

/* Every fifth request is a list, the others are counters; no two mean the same. */
static int write_request(char *out, const struct clients *c, long client) {
  long kind = client % c->distinct;
  int n = snprintf(out, RECORD_MAX, "{\"client\":\"bench-%ld\",\"name\":\"screen\",\"sql\":\"", client);
  if (kind % 5 == 0)
    n += snprintf(out + n, RECORD_MAX, "SELECT Node, Severity, Summary FROM alerts WHERE Severity >= 5 AND "
                  "Node LIKE 'core-%04ld%%'", kind);
  else
    n += snprintf(out + n, RECORD_MAX, "SELECT COUNT(*) AS n, MAX(Severity) AS worst FROM alerts WHERE "
                  "Class = %ld AND Severity >= %ld AND Node LIKE 'core-00%02ld%%'", 300 + kind % 8,
                  1 + kind % 5, kind);
  return n + snprintf(out + n, RECORD_MAX, "\",\"mode\":\"net\",\"interval_ms\":5000,\"lease_ms\":%ld}",
                      c->lease_ms);
}

static void request(struct clients *c, long client, int ends) {
  char key[TEXT], value[RECORD_MAX * 2];
  int key_bytes = snprintf(key, sizeof key, "bench-%ld/screen", client);
  int bytes = write_request(value, c, client);
  send_record(c->producer, c->requests, key, (size_t)key_bytes, ends ? NULL : value, ends ? 0 : (size_t)bytes);
}

static void read_replies(struct clients *c, int wait_ms) {
  rd_kafka_message_t *reply;
  while ((reply = rd_kafka_consumer_poll(c->reader, wait_ms))) {
    wait_ms = 0;
    char key[TEXT] = {0};
    long client = -1;
    if (!reply->err && reply->key_len < sizeof key) {
      memcpy(key, reply->key, reply->key_len);
      if (sscanf(key, "bench-%ld/", &client) != 1 || client >= c->count) client = -1;
    }
    if (client >= 0 && contains(reply->payload, reply->len, "\"status\":\"rejected\""))
      fail("a request was rejected", reply->payload ? (const char *)reply->payload : key);
    if (client >= 0 && !c->answered[client] && contains(reply->payload, reply->len, "\"status\":\"active\"")) {
      c->answered[client] = 1;
      c->active++;
    }
    rd_kafka_message_destroy(reply);
  }
}

static void open_clients(struct clients *c, char **a) {
  char name[TEXT];
  c->count = atol(a[2]);
  c->distinct = atol(a[3]);
  c->lease_ms = atol(a[4]);
  c->answered = calloc((size_t)c->count + 1, 1);
  c->producer = client(RD_KAFKA_PRODUCER, a[0], NULL);
  c->reader = client(RD_KAFKA_CONSUMER, a[0], NULL);
  snprintf(name, sizeof name, "%s.requests", a[1]);
  c->requests = topic_of(c->producer, name);
  snprintf(name, sizeof name, "%s.replies", a[1]);
  check(rd_kafka_assign(c->reader, ends_of(c->reader, name)), "assign");
}

/* Clients renew one after the other, evenly over RENEW_MS; `registered` is printed when all have an answer. */
static int play_clients(char **a) {
  struct clients c = {0};
  open_clients(&c, a);
  double renew = atof(a[5]) / 1000, start = now(), told = 0;
  for (long i = 0; i < c.count; i++) request(&c, i, 0);
  for (long turn = 0; !stopped; turn++) {
    double due = start + renew + (double)turn * renew / (double)c.count;
    while (!stopped && now() < due) {
      rd_kafka_poll(c.producer, 0);
      double left = (due - now()) * 1000;
      read_replies(&c, left < 1 ? 1 : left < 100 ? (int)left : 100);
      if (!told && c.active == c.count) {
        told = now() - start;
        printf("registered %.3f\n", told);
        fflush(stdout);
      }
    }
    if (!told && now() - start > atof(a[6])) {
      fprintf(stderr, "load: %ld of %ld clients have an answer\n", c.active, c.count);
      return 1;
    }
    if (!stopped) request(&c, turn % c.count, 0);
  }
  for (long i = 0; i < c.count; i++) request(&c, i, 1);
  check(rd_kafka_flush(c.producer, TIMEOUT_MS), "flush");
  return 0;
}

int main(int count, char **arguments) {
  static const struct verb verbs[] = {
      {"create", 3, create}, {"delete", 2, delete}, {"produce", 7, produce},      {"gate", 7, gate},
      {"follow", 7, follow}, {"size", 3, size},     {"clients", 7, play_clients},
  };
  return run_verb(verbs, sizeof verbs / sizeof *verbs, count, arguments);
}
