/* How long a flush takes, beside what the bus itself takes.
 *
 *   cc -O2 -o flush Benchmarks/flush.c -lrdkafka -lm
 *   flush BOOTSTRAP CLUSTER TOPIC COUNT TIMEOUT_S
 *
 * Registers a list that is published once an hour. Then, in turn, COUNT times each: a *plain* round trip, one record in a
 * transaction on TOPIC until a read_committed consumer has it; and a *flush*, from the command's sending to its answer.
 * Results are `name value` lines on standard output, in milliseconds; errors end it with status 1. */
#define _GNU_SOURCE
#include "common.h"

enum { KEY = 64, PAUSE_MS = 20, ANSWER_MAX = 65536 };

struct trip {
  rd_kafka_t *producer, *reader;
  rd_kafka_topic_t *in;
  double limit;
};

/* Sends at once; with a seat in transactions. */
static rd_kafka_t *sender(const char *bootstrap, const char *seat) {
  char text[TEXT];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  const char *properties[] = {"bootstrap.servers", bootstrap, "socket.nagle.disable", "true", "linger.ms", "0",
                              "enable.idempotence", "true", seat ? "transactional.id" : NULL, seat, NULL};
  for (const char **p = properties; *p; p += 2)
    if (rd_kafka_conf_set(conf, p[0], p[1], text, sizeof text) != RD_KAFKA_CONF_OK) fail(p[0], text);
  rd_kafka_t *made = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  if (!made) fail("producer", text);
  return made;
}

static void check_error(rd_kafka_error_t *error, const char *what) {
  if (error) fail(what, rd_kafka_error_string(error));
}

/* Reads committed records of a topic of one partition from its end on. */
static rd_kafka_t *reader_at_end(const char *bootstrap, const char *topic) {
  rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, bootstrap, NULL);
  read_from_end(reader, topic);
  return reader;
}

/* Waits for the record with this key whose value has this word. */
static void wait_for(struct trip *t, const char *key, const char *word) {
  while (!stopped) {
    if (now() > t->limit) fail(key, "no answer in time");
    rd_kafka_message_t *record = rd_kafka_consumer_poll(t->reader, 100);
    if (!record) continue;
    int is_it = !record->err && record->key_len == strlen(key) && !memcmp(record->key, key, record->key_len);
    if (is_it && !contains(record->payload, record->len, word)) {
      char answer[ANSWER_MAX];
      snprintf(answer, sizeof answer, "%.*s", (int)record->len, (const char *)record->payload);
      fail(key, answer);
    }
    rd_kafka_message_destroy(record);
    if (is_it) return;
  }
  exit(1);
}

static void send_text(struct trip *t, const char *key, const char *value) {
  send_record(t->producer, t->in, key, strlen(key), (char *)value, strlen(value));
}

static double plain(struct trip *t, const char *key) {
  double started = now();
  check_error(rd_kafka_begin_transaction(t->producer), "begin");
  send_text(t, key, "{}");
  check_error(rd_kafka_commit_transaction(t->producer, TIMEOUT_MS), "commit");
  wait_for(t, key, "{}");
  return (now() - started) * 1000;
}

static double flush(struct trip *t, const char *key) {
  double started = now();
  send_text(t, key, "{\"client\":\"bench-flush\",\"flush\":\"list\"}");
  wait_for(t, key, "\"flushed\"");
  return (now() - started) * 1000;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void tell(const char *name, double *times, long count) {
  qsort(times, (size_t)count, sizeof *times, ascending);
  printf("%s_median %.1f\n%s_p99 %.1f\n", name, times[count / 2], name, times[(count * 99) / 100]);
}

int main(int count, char **a) {
  if (count != 6) {
    fprintf(stderr, "usage: flush BOOTSTRAP CLUSTER TOPIC COUNT TIMEOUT_S\n");
    return 2;
  }
  signal(SIGTERM, on_signal);
  const char *bootstrap = a[1];
  char name[TEXT], key[KEY];
  long trips = atol(a[4]);
  struct trip bus = {sender(bootstrap, "bench-flush"), reader_at_end(bootstrap, a[3]), NULL, 0};
  check_error(rd_kafka_init_transactions(bus.producer, TIMEOUT_MS), "init_transactions");
  bus.in = rd_kafka_topic_new(bus.producer, a[3], NULL);
  snprintf(name, sizeof name, "%s.replies", a[2]);
  struct trip service = {sender(bootstrap, NULL), reader_at_end(bootstrap, name), NULL, 0};
  bus.limit = service.limit = now() + atof(a[5]);

  snprintf(name, sizeof name, "%s.requests", a[2]);
  service.in = rd_kafka_topic_new(service.producer, name, NULL);
  send_text(&service, "bench-flush/list",
            "{\"client\":\"bench-flush\",\"name\":\"list\",\"interval_ms\":3600000,"
            "\"sql\":\"SELECT Severity, Summary, Tally FROM alerts WHERE Severity = 5\"}");
  wait_for(&service, "bench-flush/list", "\"active\"");

  snprintf(name, sizeof name, "%s.commands", a[2]);
  service.in = rd_kafka_topic_new(service.producer, name, NULL);
  double *plains = calloc((size_t)trips, sizeof *plains), *flushes = calloc((size_t)trips, sizeof *flushes);
  for (long n = 0; n < trips && !stopped; n++) {
    snprintf(key, sizeof key, "bench-flush/%ld-%ld", (long)epoch_ms(), n);
    plains[n] = plain(&bus, key);
    flushes[n] = flush(&service, key);
    sleep_s(PAUSE_MS / 1000.0);
  }
  if (stopped) return 1;
  tell("plain", plains, trips);
  tell("flush", flushes, trips);
  return 0;
}
