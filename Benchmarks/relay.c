/* The baseline of the ingest figure: a plain librdkafka relay. It consumes each event in a group and
 * produces a record of the changelog's size to a topic with the same partitions, in transactions of the
 * same tick as Belfry's, with the consumed positions in them. It decodes nothing and keeps nothing.
 *
 *   cc -O2 -o relay Benchmarks/relay.c -lrdkafka
 *   relay BOOTSTRAP IN OUT GROUP VALUE_BYTES HEADER_BYTES COMMIT_MS [plain]      until SIGTERM
 *
 * HEADER_BYTES 0: no headers. Else each record has one header of that many bytes, name included. `plain`: the same
 * without transactions, at least once: at each tick all records are waited for, then the positions are committed.
 * The client's properties are those of Sources/Bus/Kafka/KafkaBus.swift. */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ERROR_TEXT = 512, TIMEOUT_MS = 30000, POLL_MAX = 10000, HEADER_NAME = 13 };
static const char *header_name = "belfry-change";
static volatile sig_atomic_t stopped;

static void on_signal(int signal) {
  (void)signal;
  stopped = 1;
}

static void fail(const char *what, const char *why) {
  fprintf(stderr, "relay: %s: %s\n", what, why);
  exit(1);
}

static void check(rd_kafka_error_t *error, const char *what) {
  if (error) fail(what, rd_kafka_error_string(error));
}

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *const *properties) {
  char text[ERROR_TEXT];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  for (; *properties; properties += 2)
    if (rd_kafka_conf_set(conf, properties[0], properties[1], text, sizeof text) != RD_KAFKA_CONF_OK)
      fail(properties[0], text);
  rd_kafka_t *made = rd_kafka_new(type, conf, text, sizeof text);
  if (!made) fail("client", text);
  return made;
}

static rd_kafka_t *make_producer(const char *bootstrap, const char *seat, int plain) {
  const char *properties[] = {
      "bootstrap.servers", bootstrap, "socket.nagle.disable", "true", "enable.idempotence", "true", "linger.ms",
      "1000", "queue.buffering.max.messages", "1000000", "queue.buffering.max.kbytes", "262144",
      "message.max.bytes", "2000000", plain ? NULL : "transactional.id", seat, "transaction.timeout.ms", "10000",
      NULL};
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, properties);
  if (plain) return producer;
  check(rd_kafka_init_transactions(producer, TIMEOUT_MS), "init_transactions");
  return producer;
}

static rd_kafka_t *make_consumer(const char *bootstrap, const char *group, const char *topic) {
  const char *properties[] = {
      "bootstrap.servers", bootstrap, "socket.nagle.disable", "true", "group.id", group,
      "group.instance.id", group, "partition.assignment.strategy", "range", "enable.auto.commit", "false",
      "enable.auto.offset.store", "false", "enable.partition.eof", "true", "isolation.level",
      "read_committed", "auto.offset.reset", "earliest", "session.timeout.ms", "45000",
      "max.poll.interval.ms", "3600000", "queued.max.messages.kbytes", "65536", "queued.min.messages",
      "100000", "fetch.message.max.bytes", "4194304", NULL};
  rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, properties);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer, topics);
  if (code) fail("subscribe", rd_kafka_err2str(code));
  rd_kafka_topic_partition_list_destroy(topics);
  return consumer;
}

struct relay {
  rd_kafka_t *consumer, *producer;
  rd_kafka_topic_t *out;
  char *value, *header;
  size_t value_bytes, header_bytes;
  rd_kafka_topic_partition_list_t *positions;
  int open, plain;
};

/* The record: the event's key, and bytes that stand for the row. */
static void produce(struct relay *r, const rd_kafka_message_t *event) {
  for (;;) {
    rd_kafka_headers_t *headers = NULL;
    if (r->header_bytes) {
      headers = rd_kafka_headers_new(1);
      rd_kafka_header_add(headers, header_name, HEADER_NAME, r->header, (ssize_t)r->header_bytes);
    }
    rd_kafka_resp_err_t code =
        headers ? rd_kafka_producev(r->producer, RD_KAFKA_V_RKT(r->out), RD_KAFKA_V_PARTITION(event->partition),
                                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                    RD_KAFKA_V_KEY(event->key, event->key_len),
                                    RD_KAFKA_V_VALUE(r->value, r->value_bytes), RD_KAFKA_V_HEADERS(headers),
                                    RD_KAFKA_V_END)
                : rd_kafka_producev(r->producer, RD_KAFKA_V_RKT(r->out), RD_KAFKA_V_PARTITION(event->partition),
                                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                    RD_KAFKA_V_KEY(event->key, event->key_len),
                                    RD_KAFKA_V_VALUE(r->value, r->value_bytes), RD_KAFKA_V_END);
    if (!code) return;
    if (headers) rd_kafka_headers_destroy(headers);
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("produce", rd_kafka_err2str(code));
    rd_kafka_poll(r->producer, 10);
  }
}

static void relay_one(struct relay *r, const rd_kafka_message_t *event) {
  if (event->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return;
  if (event->err) fail("consume", rd_kafka_message_errstr(event));
  if (!r->open && !r->plain) check(rd_kafka_begin_transaction(r->producer), "begin");
  r->open = 1;
  produce(r, event);
  const char *topic = rd_kafka_topic_name(event->rkt);
  rd_kafka_topic_partition_t *at =
      rd_kafka_topic_partition_list_find(r->positions, topic, event->partition);
  if (!at) at = rd_kafka_topic_partition_list_add(r->positions, topic, event->partition);
  at->offset = event->offset + 1;
}

static void commit_plainly(struct relay *r) {
  rd_kafka_resp_err_t code = rd_kafka_flush(r->producer, TIMEOUT_MS);
  if (!code) code = rd_kafka_commit(r->consumer, r->positions, 0);
  if (code) fail("commit", rd_kafka_err2str(code));
  r->open = 0;
}

static void commit(struct relay *r) {
  if (r->plain) return commit_plainly(r);
  rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(r->consumer);
  check(rd_kafka_send_offsets_to_transaction(r->producer, r->positions, group, TIMEOUT_MS), "send_offsets");
  rd_kafka_consumer_group_metadata_destroy(group);
  check(rd_kafka_commit_transaction(r->producer, TIMEOUT_MS), "commit");
  r->open = 0;
}

static void run(struct relay *r, long long commit_ms) {
  long long next = now_ms() + commit_ms;
  while (!stopped) {
    int wait = (int)(next - now_ms());
    for (int n = 0; n < POLL_MAX; n++) {
      rd_kafka_message_t *event = rd_kafka_consumer_poll(r->consumer, n == 0 && wait > 0 ? wait : 0);
      if (!event) break;
      relay_one(r, event);
      rd_kafka_message_destroy(event);
      if (n % 256 == 255 && now_ms() >= next) break;
    }
    rd_kafka_poll(r->producer, 0);
    if (now_ms() < next) continue;
    if (r->open) commit(r);
    next = now_ms() + commit_ms;
  }
}

int main(int count, char **arguments) {
  if (count != 8 && !(count == 9 && !strcmp(arguments[8], "plain"))) {
    fprintf(stderr, "usage: relay BOOTSTRAP IN OUT GROUP VALUE_BYTES HEADER_BYTES COMMIT_MS [plain]\n");
    return 2;
  }
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  struct relay r = {0};
  r.value_bytes = (size_t)atol(arguments[5]);
  r.header_bytes = (size_t)atol(arguments[6]);
  r.header_bytes = r.header_bytes > HEADER_NAME ? r.header_bytes - HEADER_NAME : 0;
  r.value = memset(malloc(r.value_bytes + 1), 'v', r.value_bytes);
  r.header = memset(malloc(r.header_bytes + 1), 'h', r.header_bytes);
  r.plain = count == 9;
  r.producer = make_producer(arguments[1], arguments[4], r.plain);
  r.consumer = make_consumer(arguments[1], arguments[4], arguments[2]);
  r.out = rd_kafka_topic_new(r.producer, arguments[3], NULL);
  r.positions = rd_kafka_topic_partition_list_new(64);
  run(&r, atol(arguments[7]));
  /* Like a process that is stopped: what was open is aborted by its timeout. */
  return 0;
}
