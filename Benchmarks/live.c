/* How long an event takes to the stream of a client that asked for every change at once.
 *
 *   cc -O2 -o live Benchmarks/live.c -lrdkafka -lm
 *   live BOOTSTRAP CLUSTER SECONDS TIMEOUT_S
 *
 * Registers an immediate stream of a hundredth of the rows of `load produce`, whose LastOccurrence is when the event was
 * written, and reads it for so long: the time between is told. Results are `name value` lines on standard output, in
 * milliseconds; errors end it with status 1. */
#define _GNU_SOURCE
#include "common.h"

enum { LONGEST_MS = 600000 };
static uint32_t counts[LONGEST_MS + 1];

/* The text behind a JSON member's name, up to the next quote or comma. */
static int member(const char *json, size_t count, const char *name, char *out, size_t room) {
  char quoted[TEXT];
  size_t length = (size_t)snprintf(quoted, sizeof quoted, "\"%s\":", name), n = 0;
  const char *at = memmem(json, count, quoted, length), *end = json + count;
  if (!at) return 0;
  for (at += length; at < end && *at == '"'; at++) continue;
  for (; at < end && n + 1 < room && *at != '"' && *at != ',' && *at != '}'; at++) out[n++] = *at;
  out[n] = 0;
  return n > 0;
}

static rd_kafka_message_t *next(rd_kafka_t *reader, double limit) {
  while (!stopped && now() < limit) {
    rd_kafka_message_t *record = rd_kafka_consumer_poll(reader, 100);
    if (record && !record->err && record->payload) return record;
    if (record) rd_kafka_message_destroy(record);
  }
  return NULL;
}

/* Asks under a name of its own, since the same request is not answered again; leaves the stream's topic in `topic`. */
static void ask(const char *bootstrap, const char *cluster, double limit, char *topic) {
  char name[TEXT], key[TEXT], request[TEXT];
  long long number = (long long)epoch_ms();
  snprintf(key, sizeof key, "bench-live/%lld", number);
  snprintf(request, sizeof request,
           "{\"client\":\"bench-live\",\"name\":\"%lld\",\"mode\":\"immediate\",\"sql\":"
           "\"SELECT Node, Severity, LastOccurrence FROM alerts WHERE Node LIKE 'core-0000%%'\"}",
           number);
  snprintf(name, sizeof name, "%s.replies", cluster);
  rd_kafka_t *replies = client(RD_KAFKA_CONSUMER, bootstrap, NULL);
  read_from_end(replies, name);
  snprintf(name, sizeof name, "%s.requests", cluster);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, bootstrap, NULL);
  send_record(producer, topic_of(producer, name), key, strlen(key), request, strlen(request));
  check(rd_kafka_flush(producer, TIMEOUT_MS), "flush");
  for (;;) {
    rd_kafka_message_t *reply = next(replies, limit);
    if (!reply) fail(key, "no reply in time");
    int is_it = reply->key_len == strlen(key) && !memcmp(reply->key, key, reply->key_len);
    if (is_it && !member(reply->payload, reply->len, "topic", topic, TEXT)) fail(key, "rejected");
    rd_kafka_message_destroy(reply);
    if (is_it) return;
  }
}

static int64_t percentile(int64_t total, double part) {
  int64_t below = 0;
  for (int ms = 0; ms <= LONGEST_MS; ms++)
    if ((below += counts[ms]) >= (int64_t)((double)total * part)) return ms;
  return LONGEST_MS;
}

int main(int count, char **a) {
  if (count != 5) {
    fprintf(stderr, "usage: live BOOTSTRAP CLUSTER SECONDS TIMEOUT_S\n");
    return 2;
  }
  signal(SIGTERM, on_signal);
  char topic[TEXT], text[TEXT];
  ask(a[1], a[2], now() + atof(a[4]), topic);
  rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, a[1], NULL);
  read_from_end(reader, topic);
  int64_t total = 0, longest = 0;
  double limit = now() + atof(a[3]);
  for (rd_kafka_message_t *record; (record = next(reader, limit)); rd_kafka_message_destroy(record)) {
    if (!member(record->payload, record->len, "LastOccurrence", text, sizeof text)) continue;
    int64_t ms = epoch_ms() - atoll(text);
    if (ms < 0 || ms > LONGEST_MS) fail(topic, "a time that cannot be");
    counts[ms]++;
    total++;
    if (ms > longest) longest = ms;
  }
  if (total == 0) fail(topic, "no change came");
  printf("changes %lld\nmedian %lld\np99 %lld\nlongest %lld\n", (long long)total, (long long)percentile(total, 0.5),
         (long long)percentile(total, 0.99), (long long)longest);
  return 0;
}
