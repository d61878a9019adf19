/* What the benchmarks' C programs share: errors, time, librdkafka's clients. */
#ifndef COMMON_H
#define COMMON_H
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT = 512, TIMEOUT_MS = 15000, EVENT_MAX = 65536, RECORD_MAX = 4096 };
static volatile sig_atomic_t stopped;

static inline void on_signal(int signal) {
  (void)signal;
  stopped = 1;
}

static inline void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
  exit(1);
}

static inline void check(rd_kafka_resp_err_t code, const char *what) {
  if (code) fail(what, rd_kafka_err2str(code));
}

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void sleep_s(double seconds) {
  if (seconds <= 0) return;
  struct timespec t = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};
  nanosleep(&t, NULL);
}

static inline int64_t epoch_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* MARK: librdkafka */

static inline rd_kafka_t *client(rd_kafka_type_t type, const char *bootstrap, const char *group) {
  char text[TEXT];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  const char *common[] = {"bootstrap.servers", bootstrap, "socket.nagle.disable", "true", NULL};
  const char *producer[] = {"enable.idempotence", "true", "linger.ms", "20", "queue.buffering.max.messages",
                            "1000000", NULL};
  const char *consumer[] = {"group.id", group ? group : "belfry-bench", "enable.auto.commit", "false",
                            "enable.auto.offset.store", "false", "enable.partition.eof", "true",
                            "isolation.level", group ? "read_uncommitted" : "read_committed", NULL};
  const char **lists[] = {common, type == RD_KAFKA_PRODUCER ? producer : consumer};
  for (int list = 0; list < 2; list++)
    for (const char **p = lists[list]; *p; p += 2)
      if (rd_kafka_conf_set(conf, p[0], p[1], text, sizeof text) != RD_KAFKA_CONF_OK) fail(p[0], text);
  rd_kafka_t *made = rd_kafka_new(type, conf, text, sizeof text);
  if (!made) fail("client", text);
  if (type == RD_KAFKA_CONSUMER) rd_kafka_poll_set_consumer(made);
  return made;
}

/* The partitioner is the one of Java's clients, so an event comes to its row's shard. */
static inline rd_kafka_topic_t *topic_of(rd_kafka_t *producer, const char *name) {
  char text[TEXT];
  rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
  if (rd_kafka_topic_conf_set(conf, "partitioner", "murmur2_random", text, sizeof text) != RD_KAFKA_CONF_OK)
    fail("partitioner", text);
  return rd_kafka_topic_new(producer, name, conf);
}

static inline void send_record(rd_kafka_t *producer, rd_kafka_topic_t *topic, const char *key, size_t key_bytes,
                               char *value, size_t value_bytes) {
  while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, value_bytes, key, key_bytes,
                          NULL)) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
      fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_poll(producer, 10);
  }
}

/* A broker may need a while until it knows a topic that was just made. */
static inline int partitions_of(rd_kafka_t *client, const char *topic) {
  rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
  int count = 0;
  for (double limit = now() + TIMEOUT_MS / 1000; count == 0 && now() < limit;) {
    const struct rd_kafka_metadata *metadata;
    check(rd_kafka_metadata(client, 0, handle, &metadata, TIMEOUT_MS), topic);
    count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (count == 0) sleep_s(0.1);
  }
  rd_kafka_topic_destroy(handle);
  if (count == 0) fail(topic, "no such topic");
  return count;
}

/* All partitions of a topic, with their ends as offsets. */
static inline rd_kafka_topic_partition_list_t *ends_of(rd_kafka_t *client, const char *topic) {
  int count = partitions_of(client, topic);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
  for (int32_t p = 0; p < count; p++) {
    int64_t low, high;
    check(rd_kafka_query_watermark_offsets(client, topic, p, &low, &high, TIMEOUT_MS), topic);
    rd_kafka_topic_partition_list_add(list, topic, p)->offset = high;
  }
  return list;
}

/* Assigns a topic's partitions from their ends on. */
static inline void read_from_end(rd_kafka_t *reader, const char *topic) {
  rd_kafka_topic_partition_list_t *ends = ends_of(reader, topic);
  check(rd_kafka_assign(reader, ends), topic);
  rd_kafka_topic_partition_list_destroy(ends);
}

static inline int64_t total(const rd_kafka_topic_partition_list_t *list) {
  int64_t sum = 0;
  for (int i = 0; i < list->cnt; i++) sum += list->elems[i].offset > 0 ? list->elems[i].offset : 0;
  return sum;
}

static inline int contains(const char *text, size_t count, const char *word) {
  return text && memmem(text, count, word, strlen(word)) != NULL;
}

struct verb {
  const char *name;
  int arguments;
  int (*run)(char **);
};

/* Runs the one that the first argument names. */
static inline int run_verb(const struct verb *verbs, size_t verb_count, int count, char **arguments) {
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  for (size_t i = 0; i < verb_count; i++)
    if (count == verbs[i].arguments + 2 && !strcmp(arguments[1], verbs[i].name)) return verbs[i].run(arguments + 2);
  fprintf(stderr, "%s: unknown or incomplete command; see the head of its source\n", program_invocation_short_name);
  return 2;
}
#endif
