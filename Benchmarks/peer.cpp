/* The baseline of the end-to-end figure: what a good engineer writes in a day for the same work. It consumes the
 * events, keeps a deduplicated row for each identifier, scans all filters that read a changed column for each event,
 * and publishes the counts that changed once an interval.
 *
 *   peer BOOTSTRAP EVENTS GROUP COUNTS CHANGELOG|- FILTERS ROWS SEED INTERVAL_MS COMMIT_MS RESULT    until SIGTERM
 *
 * CHANGELOG -: it keeps nothing, a crash loses all rows; positions are committed only so that a watcher sees how far
 * it is. Else each change is a record there, as Belfry's is (key, row as JSON, headers with old values and the change's
 * number), in transactions with the positions and the counts. RESULT gets the counts at the end, a line each.
 * The filters are those of filters.h with this seed. The client's properties are those of Sources/Bus/Kafka. */
#include <librdkafka/rdkafka.h>
#include <scan.h>
#include <signal.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filters.h"

using std::string_view;

static constexpr int timeout_ms = 30000;
static constexpr size_t batch_max = 10000;
static volatile sig_atomic_t stopped;

[[noreturn]] static void fail(const char *what, const char *why) {
  fprintf(stderr, "peer: %s: %s\n", what, why);
  exit(1);
}

static void check(rd_kafka_error_t *error, const char *what) {
  if (error) fail(what, rd_kafka_error_string(error));
}

static void check(rd_kafka_resp_err_t code, const char *what) {
  if (code) fail(what, rd_kafka_err2str(code));
}

static int64_t now_ms() { return scan_now() / 1000000; }

/* ---- strings ---- */

/* Distinct strings, numbered as they come; open addressing, the bytes in chunks that stay where they are. */
class Dictionary {
 public:
  Dictionary() : places_(1 << 16) {}

  /* The string's number, and whether it is new. */
  std::pair<uint32_t, bool> find_or_add(string_view text) {
    const uint64_t hash = hash_of(text);
    size_t place = hash & (places_.size() - 1);
    for (; places_[place].number; place = (place + 1) & (places_.size() - 1))
      if (places_[place].hash == hash && texts_[places_[place].number - 1] == text)
        return {places_[place].number - 1, false};
    texts_.push_back(kept(text));
    places_[place] = {hash, static_cast<uint32_t>(texts_.size())};
    if (texts_.size() * 2 > places_.size()) grow();
    return {static_cast<uint32_t>(texts_.size() - 1), true};
  }

  string_view operator[](uint32_t number) const { return texts_[number]; }

 private:
  struct Place {
    uint64_t hash;
    uint32_t number; /* one more than it is; 0: empty */
  };
  static constexpr size_t chunk_bytes = 1 << 20;

  static uint64_t mix(uint64_t x) {
    const auto wide = static_cast<unsigned __int128>(x) * 0xd6e8feb86659fd93u;
    return static_cast<uint64_t>(wide >> 64) ^ static_cast<uint64_t>(wide);
  }

  static uint64_t hash_of(string_view text) {
    uint64_t hash = text.size() * 0x9e3779b97f4a7c15u, word = 0;
    size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
      memcpy(&word, text.data() + at, 8);
      hash = mix(hash ^ word);
    }
    word = 0;
    memcpy(&word, text.data() + at, text.size() - at);
    return mix(hash ^ word);
  }

  string_view kept(string_view text) {
    if (chunks_.empty() || used_ + text.size() > chunk_bytes) {
      chunks_.push_back(std::make_unique<char[]>(std::max(chunk_bytes, text.size())));
      used_ = 0;
    }
    char *copy = chunks_.back().get() + used_;
    used_ += text.size();
    memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
  }

  void grow() {
    std::vector<Place> places(places_.size() * 2);
    for (const Place &old : places_) {
      if (!old.number) continue;
      size_t place = old.hash & (places.size() - 1);
      while (places[place].number) place = (place + 1) & (places.size() - 1);
      places[place] = old;
    }
    places_.swap(places);
  }

  std::vector<Place> places_;
  std::vector<string_view> texts_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t used_ = 0;
};

/* ---- events ---- */

/* A row's cells: those that filters read, then the others. Of strings a code of `Rows::strings`; of Summary, which
 * is different with every event, one of the row's own. */
enum { MANAGER = READ_COLUMNS, TYPE, FIRST, LAST, WIDTH };

struct Event {
  string_view identifier, node, manager, group, key, service, summary;
  int64_t severity = 0, type = 0, kind = 0, last = 0;
};

/* The event's fields, the strings unescaped in the parser's memory. False: it cannot be used. */
static bool decode(simdjson::ondemand::parser &parser, simdjson::padded_string_view json, Event &event) {
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser.iterate(json).get(document) || document.get_object().get(object)) return false;
  for (auto field : object) {
    string_view name;
    simdjson::ondemand::value value;
    if (field.unescaped_key().get(name) || field.value().get(value)) return false;
    simdjson::error_code error = simdjson::SUCCESS;
    if (name == "Identifier") error = value.get_string().get(event.identifier);
    else if (name == "Node") error = value.get_string().get(event.node);
    else if (name == "Manager") error = value.get_string().get(event.manager);
    else if (name == "AlertGroup") error = value.get_string().get(event.group);
    else if (name == "AlertKey") error = value.get_string().get(event.key);
    else if (name == "Service") error = value.get_string().get(event.service);
    else if (name == "Summary") error = value.get_string().get(event.summary);
    else if (name == "Severity") error = value.get_int64().get(event.severity);
    else if (name == "Type") error = value.get_int64().get(event.type);
    else if (name == "Class") error = value.get_int64().get(event.kind);
    else if (name == "LastOccurrence") error = value.get_int64().get(event.last);
    if (error) return false;
  }
  return !event.identifier.empty();
}

/* ---- rows ---- */

class Rows {
 public:
  explicit Rows(scan *filters) : filters_(filters) {}

  /* Merges an event into its row by the columns' rules. The old cells are in `before`, unless the row is new. */
  std::pair<uint32_t, bool> apply(const Event &event, int64_t time_ms) {
    const auto [row, is_new] = keys_.find_or_add(event.identifier);
    if (is_new) {
      add(event, time_ms);
      return {row, true};
    }
    uint64_t *cells = &cells_[row * size_t{WIDTH}];
    memcpy(before, cells, sizeof before);
    cells[TALLY]++;
    cells[LAST] = static_cast<uint64_t>(std::max(static_cast<int64_t>(cells[LAST]), event.last));
    cells[SEVERITY] = static_cast<uint64_t>(event.severity);
    cells[SUMMARY] = summaries_[row].replace(*this, event.summary);
    return {row, false};
  }

  /* A string's code, for good. */
  uint64_t code(string_view text) {
    const auto [number, is_new] = dictionary_.find_or_add(text);
    if (is_new) {
      codes_.push_back(texts_.size());
      show(codes_.back(), dictionary_[number]);
    }
    return codes_[number];
  }

  const uint64_t *cells(uint32_t row) const { return &cells_[row * size_t{WIDTH}]; }
  string_view key(uint32_t row) const { return keys_[row]; }
  string_view text(uint64_t code) const { return texts_[code]; }

  uint64_t before[WIDTH];

 private:
  /* Two codes, taken in turn, so that the old text is there as long as the old cells are. */
  struct Summary {
    uint64_t code;
    int current;
    std::string texts[2];

    uint64_t replace(Rows &rows, string_view text) {
      if (texts[current] == text) return code + static_cast<uint64_t>(current);
      current = 1 - current;
      texts[current].assign(text);
      rows.show(code + static_cast<uint64_t>(current), texts[current]);
      return code + static_cast<uint64_t>(current);
    }
  };

  void show(uint64_t code, string_view text) {
    if (code >= texts_.size()) texts_.resize(code + 1);
    texts_[code] = text;
    scan_string(filters_, static_cast<uint32_t>(code), text.data(), text.size());
  }

  void add(const Event &event, int64_t time_ms) {
    uint64_t made[WIDTH] = {};
    made[NODE] = code(event.node);
    made[MANAGER] = code(event.manager);
    made[ALERT_GROUP] = code(event.group);
    made[ALERT_KEY] = code(event.key);
    made[SERVICE] = code(event.service);
    made[SEVERITY] = static_cast<uint64_t>(event.severity);
    made[TYPE] = static_cast<uint64_t>(event.type);
    made[CLASS] = static_cast<uint64_t>(event.kind);
    made[TALLY] = 1;
    made[FIRST] = static_cast<uint64_t>(time_ms);
    made[LAST] = static_cast<uint64_t>(event.last);
    summaries_.push_back({texts_.size(), 0, {}});
    texts_.resize(texts_.size() + 2);
    summaries_.back().texts[1] = "\n"; /* no event's: so that the first text replaces it */
    summaries_.back().current = 1;
    made[SUMMARY] = summaries_.back().replace(*this, event.summary);
    cells_.insert(cells_.end(), made, made + WIDTH);
  }

  scan *filters_;
  Dictionary keys_, dictionary_;
  std::vector<uint64_t> codes_, cells_;
  std::vector<string_view> texts_;
  std::deque<Summary> summaries_; /* its strings stay where they are */
};

/* ---- filters ---- */

static scan_test test_of(const part &p, Rows &rows, std::vector<uint64_t> &elements) {
  scan_test test = {};
  test.column = static_cast<uint16_t>(p.column);
  switch (p.comparison) {
    case IS:
      test.kind = SCAN_EQUAL;
      test.value = rows.code(p.words[0]);
      break;
    case AMONG:
      test.kind = SCAN_IN;
      for (int i = 0; i < p.count; i++) elements.push_back(rows.code(p.words[i]));
      std::sort(elements.begin(), elements.end());
      test.elements = elements.data();
      test.count = elements.size();
      break;
    case BEGINS:
    case HOLDS:
      test.kind = p.comparison == BEGINS ? SCAN_PREFIX : SCAN_CONTAINS;
      test.text = p.words[0];
      test.count = strlen(p.words[0]);
      break;
    case IS_NUMBER:
    case AT_LEAST:
      test.kind = SCAN_RANGE;
      test.low = p.number;
      test.high = p.comparison == AT_LEAST ? INT64_MAX : p.number;
      break;
  }
  return test;
}

/* A test that fails goes to the next group, one that holds to the next of its own; behind the last are the ends. */
static void compile(scan *filters, const condition &c, Rows &rows) {
  std::vector<scan_test> tests;
  std::vector<std::vector<uint64_t>> elements(GROUPS_MAX * PARTS_MAX);
  for (int g = 0; g < c.groups; g++)
    for (int i = 0; i < c.parts[g]; i++) {
      tests.push_back(test_of(c.part[g][i], rows, elements[tests.size()]));
      tests.back().then = i + 1 < c.parts[g] ? 1 : static_cast<int16_t>(SCAN_ACCEPT);
      tests.back().otherwise =
          g + 1 < c.groups ? static_cast<int16_t>(c.parts[g] - i) : static_cast<int16_t>(SCAN_REJECT);
    }
  scan_add(filters, tests.data(), tests.size());
}

/* ---- JSON ---- */

static void append(std::string &out, int64_t number) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

static void append_string(std::string &out, string_view text) {
  out += '"';
  size_t clean = 0;
  for (size_t at = 0; at < text.size(); at++) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, clean, at - clean);
    char escaped[8];
    if (byte < 0x20) snprintf(escaped, sizeof escaped, "\\u%04x", byte);
    else snprintf(escaped, sizeof escaped, "\\%c", byte);
    out += escaped;
    clean = at + 1;
  }
  out.append(text, clean);
  out += '"';
}

/* The row as Belfry's changelog has it: all columns of `alerts`, those that no event fills with their defaults. */
static void write_row(std::string &out, const Rows &rows, uint32_t row) {
  const uint64_t *cells = rows.cells(row);
  const auto text = [&](const char *name, uint64_t code) { append_string(out += name, rows.text(code)); };
  const auto number = [&](const char *name, int column) {
    append(out += name, static_cast<int64_t>(cells[column]));
  };
  out.clear();
  append_string(out += "{\"Identifier\":", rows.key(row));
  text(",\"Serial\":0,\"Node\":", cells[NODE]);
  text(",\"NodeAlias\":\"\",\"Manager\":", cells[MANAGER]);
  text(",\"Agent\":\"\",\"AlertGroup\":", cells[ALERT_GROUP]);
  text(",\"AlertKey\":", cells[ALERT_KEY]);
  number(",\"Severity\":", SEVERITY);
  text(",\"Summary\":", cells[SUMMARY]);
  number(",\"FirstOccurrence\":", FIRST);
  number(",\"LastOccurrence\":", LAST);
  number(",\"InternalLast\":0,\"StateChange\":0,\"Type\":", TYPE);
  number(",\"Tally\":", TALLY);
  number(",\"Class\":", CLASS);
  out += ",\"Grade\":0,\"Location\":\"\",\"OwnerUID\":0,\"OwnerGID\":0,\"Acknowledged\":0,\"ExpireTime\":0,"
         "\"Customer\":\"\",\"Service\":";
  append_string(out, rows.text(cells[SERVICE]));
  out += ",\"Url\":\"\",\"ExtendedAttr\":\"\"}";
}

/* The old values of the columns that changed. */
static void write_before(std::string &out, const Rows &rows, uint32_t row) {
  const uint64_t *cells = rows.cells(row), *before = rows.before;
  out = "{\"Tally\":";
  append(out, static_cast<int64_t>(before[TALLY]));
  if (before[SEVERITY] != cells[SEVERITY]) append(out += ",\"Severity\":", static_cast<int64_t>(before[SEVERITY]));
  if (before[LAST] != cells[LAST]) append(out += ",\"LastOccurrence\":", static_cast<int64_t>(before[LAST]));
  if (before[SUMMARY] != cells[SUMMARY]) append_string(out += ",\"Summary\":", rows.text(before[SUMMARY]));
  out += '}';
}

/* ---- Kafka ---- */

static rd_kafka_t *client(rd_kafka_type_t type, std::initializer_list<std::pair<const char *, const char *>> given) {
  char text[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  for (const auto &[name, value] : given)
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) fail(name, text);
  rd_kafka_t *made = rd_kafka_new(type, conf, text, sizeof text);
  if (!made) fail("client", text);
  return made;
}

struct Arguments {
  const char *bootstrap, *events, *group, *counts, *changelog;
  size_t filters;
  uint64_t rows, seed;
  int64_t interval_ms, commit_ms;
  const char *result;
};

class Peer {
 public:
  explicit Peer(const Arguments &a)
      : arguments_(a), is_logging_(strcmp(a.changelog, "-") != 0), filters_(scan_new()), rows_(filters_) {
    uint64_t state = a.seed;
    condition drawn;
    for (size_t i = 0; i < a.filters; i++) {
      draw_condition(&drawn, &state, a.rows);
      compile(filters_, drawn, rows_);
    }
    published_.assign(a.filters, -1);
    make_producer();
    make_consumer();
  }

  void run() {
    std::vector<rd_kafka_message_t *> batch(batch_max);
    next_commit_ = now_ms() + arguments_.commit_ms;
    next_publish_ = now_ms() + arguments_.interval_ms;
    while (!stopped) {
      const int64_t wait = std::min(next_commit_, next_publish_) - now_ms();
      const ssize_t count = rd_kafka_consume_batch_queue(queue_, static_cast<int>(std::max<int64_t>(0, wait)),
                                                         batch.data(), batch.size());
      if (count < 0) fail("consume", rd_kafka_err2str(rd_kafka_last_error()));
      for (ssize_t i = 0; i < count && !stopped; i++) {
        take(batch[static_cast<size_t>(i)]);
        rd_kafka_message_destroy(batch[static_cast<size_t>(i)]);
        if (i % 16 == 15) tick();
      }
      tick();
    }
    tell();
  }

 private:
  void make_producer() {
    if (is_logging_) {
      producer_ = client(RD_KAFKA_PRODUCER,
                         {{"bootstrap.servers", arguments_.bootstrap}, {"socket.nagle.disable", "true"},
                          {"transactional.id", arguments_.group}, {"transaction.timeout.ms", "60000"},
                          {"linger.ms", "5"}, {"queue.buffering.max.messages", "1000000"},
                          {"queue.buffering.max.kbytes", "262144"}, {"message.max.bytes", "2000000"}});
      check(rd_kafka_init_transactions(producer_, timeout_ms), "init_transactions");
      changelog_ = rd_kafka_topic_new(producer_, arguments_.changelog, nullptr);
    } else {
      producer_ = client(RD_KAFKA_PRODUCER,
                         {{"bootstrap.servers", arguments_.bootstrap}, {"socket.nagle.disable", "true"},
                          {"linger.ms", "5"}, {"queue.buffering.max.messages", "1000000"}});
    }
    counts_ = rd_kafka_topic_new(producer_, arguments_.counts, nullptr);
  }

  void make_consumer() {
    consumer_ = client(RD_KAFKA_CONSUMER,
                       {{"bootstrap.servers", arguments_.bootstrap}, {"socket.nagle.disable", "true"},
                        {"group.id", arguments_.group}, {"group.instance.id", arguments_.group},
                        {"partition.assignment.strategy", "range"}, {"enable.auto.commit", "false"},
                        {"enable.auto.offset.store", "false"}, {"isolation.level", "read_committed"},
                        {"auto.offset.reset", "earliest"}, {"session.timeout.ms", "45000"},
                        {"max.poll.interval.ms", "3600000"}, {"queued.max.messages.kbytes", "65536"},
                        {"queued.min.messages", "100000"}, {"fetch.message.max.bytes", "4194304"}});
    rd_kafka_poll_set_consumer(consumer_);
    queue_ = rd_kafka_queue_get_consumer(consumer_);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, arguments_.events, RD_KAFKA_PARTITION_UA);
    check(rd_kafka_subscribe(consumer_, topics), "subscribe");
    rd_kafka_topic_partition_list_destroy(topics);
  }

  void take(const rd_kafka_message_t *message) {
    if (message->err) fail("consume", rd_kafka_message_errstr(message));
    if (is_logging_ && !is_open_) {
      check(rd_kafka_begin_transaction(producer_), "begin");
      is_open_ = true;
    }
    const auto partition = static_cast<size_t>(message->partition);
    if (partition >= positions_.size()) positions_.resize(partition + 1, -1);
    positions_[partition] = message->offset + 1;
    is_moved_ = true;
    if (message->len + simdjson::SIMDJSON_PADDING > padded_.size())
      padded_.resize(message->len + simdjson::SIMDJSON_PADDING);
    memcpy(padded_.data(), message->payload, message->len);
    Event event;
    const simdjson::padded_string_view json(padded_.data(), message->len, padded_.size());
    if (!decode(parser_, json, event)) {
      refused_++;
      return;
    }
    const auto [row, is_new] = rows_.apply(event, rd_kafka_message_timestamp(message, nullptr));
    if (is_new) scan_all(filters_, nullptr, rows_.cells(row));
    else scan_changed(filters_, rows_.before, rows_.cells(row), WIDTH);
    if (is_logging_) log(message, row, is_new);
  }

  void log(const rd_kafka_message_t *message, uint32_t row, bool is_new) {
    write_row(value_, rows_, row);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    if (!is_new) {
      write_before(header_, rows_, row);
      rd_kafka_header_add(headers, "belfry-before", -1, header_.data(), static_cast<ssize_t>(header_.size()));
    }
    header_.clear();
    changes_.resize(std::max(changes_.size(), static_cast<size_t>(message->partition) + 1));
    append(header_, ++changes_[static_cast<size_t>(message->partition)]);
    rd_kafka_header_add(headers, "belfry-change", -1, header_.data(), static_cast<ssize_t>(header_.size()));
    const string_view key = rows_.key(row);
    while (const auto code = rd_kafka_producev(
               producer_, RD_KAFKA_V_RKT(changelog_), RD_KAFKA_V_PARTITION(message->partition),
               RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data(), key.size()),
               RD_KAFKA_V_VALUE(value_.data(), value_.size()), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END)) {
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) check(code, "produce");
      rd_kafka_poll(producer_, 10);
    }
  }

  /* Commits and publishes what is due. */
  void tick() {
    const int64_t now = now_ms();
    if (now >= next_publish_) {
      publish();
      next_publish_ = now_ms() + arguments_.interval_ms;
    }
    if (now < next_commit_) return;
    rd_kafka_poll(producer_, 0);
    if (is_moved_ || is_open_) commit();
    next_commit_ = now_ms() + arguments_.commit_ms;
  }

  void publish() {
    const int64_t *counts = scan_counts(filters_);
    if (is_logging_ && !is_open_) {
      check(rd_kafka_begin_transaction(producer_), "begin");
      is_open_ = true;
    }
    for (size_t i = 0; i < published_.size(); i++) {
      if (counts[i] == published_[i]) continue;
      published_[i] = counts[i];
      header_ = "n";
      append(header_, static_cast<int64_t>(i));
      append(value_ = "{\"" + header_ + "\":", counts[i]);
      value_ += '}';
      while (rd_kafka_produce(counts_, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value_.data(), value_.size(),
                              header_.data(), header_.size(), nullptr)) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) check(rd_kafka_last_error(), "produce");
        rd_kafka_poll(producer_, 10);
      }
    }
  }

  void commit() {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(static_cast<int>(positions_.size()));
    for (size_t p = 0; p < positions_.size(); p++)
      if (positions_[p] >= 0)
        rd_kafka_topic_partition_list_add(list, arguments_.events, static_cast<int32_t>(p))->offset = positions_[p];
    if (is_logging_) {
      rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer_);
      if (list->cnt) check(rd_kafka_send_offsets_to_transaction(producer_, list, group, timeout_ms), "send_offsets");
      rd_kafka_consumer_group_metadata_destroy(group);
      check(rd_kafka_commit_transaction(producer_, timeout_ms), "commit");
      is_open_ = false;
    } else {
      check(rd_kafka_commit(consumer_, list, 1), "commit");
    }
    rd_kafka_topic_partition_list_destroy(list);
    is_moved_ = false;
  }

  void tell() {
    FILE *out = fopen(arguments_.result, "w");
    if (!out) fail(arguments_.result, "cannot be written");
    for (size_t i = 0; i < published_.size(); i++)
      fprintf(out, "n%zu %lld\n", i, static_cast<long long>(scan_counts(filters_)[i]));
    fclose(out);
    if (refused_) fprintf(stderr, "peer: %zu events could not be used\n", refused_);
  }

  const Arguments arguments_;
  const bool is_logging_;
  scan *filters_;
  Rows rows_;
  std::vector<int64_t> published_, positions_, changes_;
  rd_kafka_t *producer_ = nullptr, *consumer_ = nullptr;
  rd_kafka_topic_t *counts_ = nullptr, *changelog_ = nullptr;
  rd_kafka_queue_t *queue_ = nullptr;
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_;
  std::string value_, header_;
  size_t refused_ = 0;
  int64_t next_commit_ = 0, next_publish_ = 0;
  bool is_open_ = false, is_moved_ = false;
};

static void on_signal(int) { stopped = 1; }

int main(int count, char **a) {
  if (count != 12) {
    fprintf(stderr, "usage: peer BOOTSTRAP EVENTS GROUP COUNTS CHANGELOG|- FILTERS ROWS SEED INTERVAL_MS COMMIT_MS "
                    "RESULT\n");
    return 2;
  }
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  Peer({a[1], a[2], a[3], a[4], a[5], strtoull(a[6], nullptr, 10), strtoull(a[7], nullptr, 10),
        strtoull(a[8], nullptr, 10), atoll(a[9]), atoll(a[10]), a[11]})
      .run();
  return 0;
}
