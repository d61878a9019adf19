/* The standing counts of the end-to-end figure.
 *
 *   cc -O2 -o counts Benchmarks/counts.c -lrdkafka
 *   counts register BOOTSTRAP CLUSTER COUNT ROWS SEED INTERVAL_MS TIMEOUT_S     the filters of filters.h; until all have
 *       an answer
 *   counts settled  BOOTSTRAP TOPIC EXPECTED TIMEOUT_S     until the topic, folded, has the counts of that file, which
 *       has lines such as `n7 12`
 *
 * Results go to standard output as `name value` lines; errors end it with status 1. */
#define _GNU_SOURCE
#include "common.h"
#include "filters.h"

/* MARK: register */

struct requests {
  rd_kafka_t *producer, *reader;
  rd_kafka_topic_t *requests;
  char *answered;
  long count, active;
};

static size_t write_part(char *out, size_t room, const struct part *p) {
  const char *name = column_names[p->column];
  int n = 0;
  switch (p->comparison) {
    case IS: return (size_t)snprintf(out, room, "%s = '%s'", name, p->words[0]);
    case BEGINS: return (size_t)snprintf(out, room, "%s LIKE '%s%%'", name, p->words[0]);
    case HOLDS: return (size_t)snprintf(out, room, "%s LIKE '%%%s%%'", name, p->words[0]);
    case IS_NUMBER: return (size_t)snprintf(out, room, "%s = %lld", name, (long long)p->number);
    case AT_LEAST: return (size_t)snprintf(out, room, "%s >= %lld", name, (long long)p->number);
    case AMONG:
      n = snprintf(out, room, "%s IN (", name);
      for (int i = 0; i < p->count; i++)
        n += snprintf(out + n, room - (size_t)n, "%s'%s'", i ? ", " : "", p->words[i]);
      return (size_t)(n + snprintf(out + n, room - (size_t)n, ")"));
  }
  return 0;
}

static void write_condition(char *out, size_t room, const struct condition *c) {
  size_t n = 0;
  for (int g = 0; g < c->groups; g++)
    for (int i = 0; i < c->parts[g]; i++) {
      n += (size_t)snprintf(out + n, room - n, "%s", i ? " AND " : g ? " OR " : "");
      n += write_part(out + n, room - n, &c->part[g][i]);
    }
}

/* A client has at most so many requests. */
enum { REQUESTS_A_CLIENT = 5000 };

static void request_count(struct requests *c, long number, const char *filter, long interval_ms) {
  char key[TEXT], value[RECORD_MAX];
  long client = number / REQUESTS_A_CLIENT;
  int key_bytes = snprintf(key, sizeof key, "bench-%ld/n%ld", client, number);
  int bytes = snprintf(value, sizeof value,
                       "{\"client\":\"bench-%ld\",\"name\":\"n%ld\",\"sql\":\"SELECT COUNT(*) AS n%ld FROM alerts "
                       "WHERE %s\",\"mode\":\"net\",\"interval_ms\":%ld}",
                       client, number, number, filter, interval_ms);
  send_record(c->producer, c->requests, key, (size_t)key_bytes, value, (size_t)bytes);
}

static void read_count_reply(struct requests *c, const rd_kafka_message_t *reply) {
  char key[TEXT] = {0};
  long client, number;
  if (reply->err || reply->key_len >= sizeof key) return;
  memcpy(key, reply->key, reply->key_len);
  if (sscanf(key, "bench-%ld/n%ld", &client, &number) != 2 || number >= c->count) return;
  if (contains(reply->payload, reply->len, "\"status\":\"rejected\""))
    fail("a request was rejected", (const char *)reply->payload);
  if (c->answered[number] || !contains(reply->payload, reply->len, "\"status\":\"active\"")) return;
  c->answered[number] = 1;
  c->active++;
}

static int register_counts(char **a) {
  char filter[FILTER_BYTES];
  struct requests c = {0};
  struct condition drawn;
  char name[TEXT];
  c.count = atol(a[2]);
  c.answered = calloc((size_t)c.count + 1, 1);
  c.producer = client(RD_KAFKA_PRODUCER, a[0], NULL);
  c.reader = client(RD_KAFKA_CONSUMER, a[0], NULL);
  snprintf(name, sizeof name, "%s.requests", a[1]);
  c.requests = topic_of(c.producer, name);
  snprintf(name, sizeof name, "%s.replies", a[1]);
  check(rd_kafka_assign(c.reader, ends_of(c.reader, name)), "assign");
  uint64_t rows = strtoull(a[3], NULL, 10), state = strtoull(a[4], NULL, 10);
  double start = now(), limit = start + atof(a[6]);
  for (long i = 0; i < c.count; i++) {
    draw_condition(&drawn, &state, rows);
    write_condition(filter, sizeof filter, &drawn);
    request_count(&c, i, filter, atol(a[5]));
    if (i % 1000 == 0) rd_kafka_poll(c.producer, 0);
  }
  check(rd_kafka_flush(c.producer, TIMEOUT_MS), "flush");
  while (!stopped && c.active < c.count) {
    if (now() > limit) {
      fprintf(stderr, "counts: %ld of %ld requests have an answer\n", c.active, c.count);
      return 1;
    }
    rd_kafka_message_t *reply = rd_kafka_consumer_poll(c.reader, 100);
    if (!reply) continue;
    read_count_reply(&c, reply);
    rd_kafka_message_destroy(reply);
  }
  printf("registered %.3f\n", now() - start);
  return 0;
}

/* MARK: settled */

struct counts {
  long limit, wrong; /* counts that are not yet as expected */
  long long *expected, *seen;
};

static void read_expected(struct counts *c, const char *path) {
  FILE *file = fopen(path, "r");
  long number;
  long long count;
  if (!file) fail(path, "cannot be read");
  while (fscanf(file, "n%ld %lld\n", &number, &count) == 2) {
    if (number != c->limit) fail(path, "is not in order");
    if (!(c->expected = realloc(c->expected, sizeof *c->expected * (size_t)(number + 1)))) fail(path, "no memory");
    c->expected[c->limit++] = count;
  }
  fclose(file);
  c->wrong = c->limit;
  c->seen = malloc(sizeof *c->seen * (size_t)(c->limit + 1));
  for (long i = 0; i < c->limit; i++) c->seen[i] = -1;
}

static void fold(struct counts *c, const rd_kafka_message_t *record) {
  char text[TEXT] = {0};
  long number;
  long long count;
  if (record->err || record->len >= sizeof text || !record->payload) return;
  memcpy(text, record->payload, record->len);
  if (sscanf(text, "{\"n%ld\":%lld}", &number, &count) != 2 || number >= c->limit) return;
  c->wrong += (c->seen[number] == c->expected[number]) - (count == c->expected[number]);
  c->seen[number] = count;
}

static int settled(char **a) {
  struct counts c = {0};
  read_expected(&c, a[2]);
  rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, a[0], NULL);
  rd_kafka_topic_partition_list_t *list = ends_of(reader, a[1]);
  for (int i = 0; i < list->cnt; i++) list->elems[i].offset = 0;
  check(rd_kafka_assign(reader, list), "assign");
  double start = now(), limit = start + atof(a[3]);
  while (!stopped && c.wrong > 0 && now() < limit) {
    rd_kafka_message_t *record = rd_kafka_consumer_poll(reader, 100);
    if (!record) continue;
    fold(&c, record);
    rd_kafka_message_destroy(record);
  }
  for (long i = 0, told = 0; i < c.limit && told < 5; i++)
    if (c.seen[i] != c.expected[i] && ++told)
      fprintf(stderr, "counts: n%ld is %lld, expected %lld\n", i, c.seen[i], c.expected[i]);
  printf("settled %.3f\nwrong %ld\n", now() - start, c.wrong);
  return c.wrong > 0;
}

int main(int count, char **arguments) {
  static const struct verb verbs[] = {{"register", 7, register_counts}, {"settled", 4, settled}};
  return run_verb(verbs, sizeof verbs / sizeof *verbs, count, arguments);
}
