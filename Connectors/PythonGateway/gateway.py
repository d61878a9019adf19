#!/usr/bin/env python3
"""An example of a gateway in another language: keeps a stream of Belfry in an SQLite database, each record once.

It asks for a stream of all changes, follows it from where it stopped, and writes rows and position in one
transaction of its database. So it may be killed at any moment: what was written is not written again, and what
was not is read again. docs/gateways.md has the rules; the checking here is independent of Belfry's own.

Needs Python 3.9 and confluent-kafka (Debian: python3-confluent-kafka). `gateway.py --help` tells how it is used.
"""
import argparse
import copy
import json
import signal
import sqlite3
import sys
import time

try:
    import confluent_kafka
    from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition
except ImportError:  # --selftest needs none
    confluent_kafka = None

COUNT_MAX = 2**62 - 2  # larger numbers are not believed
BATCH_RECORDS_MAX = 1000
REPLY_SECONDS = 30
RENEWAL_SECONDS = 5  # how long another reply is waited for where there is one


# -- What is next in a stream: no Kafka and no database ------------------------------------------------------------


def count(text):
    """The number that a header's bytes are, or None."""
    if text is None or not 1 <= len(text) <= 19 or not all(48 <= byte <= 57 for byte in text):
        return None
    number = int(text)
    return number if 1 <= number <= COUNT_MAX else None


class SequenceChecker:
    """Tells of each record of a stream, in the topic's order, whether it is the next one.

    Begins with a number (`first`; 1: the whole stream), behind a position (`after`: epoch and seq), or with
    whatever comes first (neither).
    """

    def __init__(self, first=None, after=None):
        self.first, self.after = first, after  # until the start is found
        self.last = after  # (epoch, seq)
        self.epoch = 0  # the highest that was passed over

    def take(self, epoch, seq):
        """'passed', 'repeated', 'fenced', or ('deliver', is_restart, missing) with missing = (from, to) or None."""
        point = (epoch, seq)
        if self.after is not None:
            if point < self.after:
                return "passed"
            after, self.after = self.after, None
            if point == after:
                return "passed"
        if self.last is None:
            if self.first is None:
                return self._deliver(point, seq - 1)
            if epoch < self.epoch or seq < self.first:
                self.epoch = max(epoch, self.epoch)
                return "passed"
            return self._deliver(point, self.first - 1)
        if epoch < self.last[0]:
            return "fenced"
        if seq > self.last[1]:
            return self._deliver(point, self.last[1])
        if epoch == self.last[0]:
            return "repeated"
        return self._deliver(point, 0, is_restart=True)

    def _deliver(self, point, before, is_restart=False):
        self.last = point
        missing = (before + 1, point[1] - 1) if before + 1 < point[1] else None
        return ("deliver", is_restart, missing)


class PartitionOffsets:
    """Tells records that were removed from a partition from such as never were on it: what is removed leaves its
    offset behind, and a topic that was deleted and made again begins at offset 0, while its stream counts on.

    `first`: the offset from which everything is read; 0: the partition's beginning.
    """

    def __init__(self, first):
        self.next, self.is_beginning, self.free = first, first == 0, 0

    def skip(self, offset):
        """A record of another stream, or of nobody."""
        self.free += max(offset - self.next, 0)
        self.next = offset + 1

    def take(self, seq, verdict, offset):
        """(is_made_again, has_room) of a record of the stream, of which SequenceChecker has said this."""
        self.skip(offset)
        room, is_first, self.is_beginning = self.free, self.is_beginning, False
        if verdict in ("fenced", "repeated"):
            return False, True
        self.free = 0
        if verdict == "passed":
            return False, True
        missing = verdict[2]
        return is_first and seq - 1 > room, missing is None or missing[1] - missing[0] < room


# -- The store: rows and position in one transaction ----------------------------------------------------------------


class Store:
    """`history` has a row a record; `position` how far each stream is; `event` what the reader said besides;
    `request` what was asked for last."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(
            """
            CREATE TABLE IF NOT EXISTS history (
              stream TEXT, epoch INTEGER, seq INTEGER, key TEXT, op TEXT, before TEXT, after TEXT, time_ms INTEGER,
              PRIMARY KEY (stream, epoch, seq));
            CREATE TABLE IF NOT EXISTS position (
              stream TEXT PRIMARY KEY, topic TEXT, epoch INTEGER, seq INTEGER, at INTEGER);
            CREATE TABLE IF NOT EXISTS event (stream TEXT, what TEXT, detail TEXT);
            CREATE TABLE IF NOT EXISTS request (name TEXT PRIMARY KEY, text TEXT);
            """
        )

    def was_asked(self, name, text):
        return self.db.execute("SELECT 1 FROM request WHERE name = ? AND text = ?", (name, text)).fetchone() is not None

    def asked(self, name, text):
        self.db.execute("INSERT OR REPLACE INTO request VALUES (?, ?)", (name, text))

    def position(self, stream):
        """(topic, epoch, seq, offset), or None."""
        return self.db.execute(
            "SELECT topic, epoch, seq, at FROM position WHERE stream = ?", (stream,)
        ).fetchone()

    def write(self, stream, topic, rows, events, position):
        """All of it, or nothing."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            # No OR REPLACE: a record that came twice in spite of all would fail here, not pass unseen.
            self.db.executemany(
                "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(stream, *row) for row in rows]
            )
            self.db.executemany("INSERT INTO event VALUES (?, ?, ?)", [(stream, *event) for event in events])
            if position is not None:
                self.db.execute(
                    "INSERT INTO position VALUES (?, ?, ?, ?, ?) ON CONFLICT (stream) DO UPDATE SET"
                    " topic = excluded.topic, epoch = excluded.epoch, seq = excluded.seq, at = excluded.at",
                    (stream, topic, *position),
                )
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise


# -- Kafka -----------------------------------------------------------------------------------------------------------


def consumer(options, isolation="read_committed"):
    return confluent_kafka.Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": "belfry-python-gateway",  # demanded by the client; nothing joins or commits in it
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )


def bounds(options, topic, partition):
    """The first offset and the high watermark, behind which no open transaction hides anything."""
    asker = consumer(options, "read_uncommitted")
    try:
        return asker.get_watermark_offsets(TopicPartition(topic, partition), timeout=REPLY_SECONDS)
    finally:
        asker.close()


def send(options, topic, key, value):
    failures = []
    producer = confluent_kafka.Producer({"bootstrap.servers": options.bootstrap, "partitioner": "murmur2_random"})
    producer.produce(topic, key=key, value=value, on_delivery=lambda error, _: failures.append(error))
    if producer.flush(REPLY_SECONDS) or any(failures):
        raise SystemExit(f"gateway: {topic} could not be written: {failures}")


def json_object(value):
    """The object that a record's value is, or None."""
    try:
        found = json.loads(value) if value is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def request(options, store):
    """Asks for the stream and gives the reply. One that stands already gets no new reply: then the last counts."""
    key = f"{options.client}/{options.name}"
    text = json.dumps({"client": options.client, "name": options.name, "sql": options.sql, "mode": options.mode})
    topic = f"{options.cluster}.replies"
    _, end = bounds(options, topic, 0)
    reader = consumer(options)
    try:
        reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        send(options, f"{options.cluster}.requests", key, text)
        started = time.monotonic()
        reply, reached = None, 0
        while time.monotonic() < started + REPLY_SECONDS:
            record = reader.poll(0.2)
            if record is not None:
                reached = record.offset() + (1 if record.error() is None else 0)
                if record.error() is None and record.key() == key.encode():
                    reply = json_object(record.value()) or reply
                    if reply is not None and record.offset() >= end:
                        store.asked(key, text)
                        return reply
            stands = reply is not None and reply.get("status") == "active" and reached >= end
            if stands and (store.was_asked(key, text) or time.monotonic() > started + RENEWAL_SECONDS):
                store.asked(key, text)
                return reply
    finally:
        reader.close()
    raise SystemExit(f"gateway: no reply in {REPLY_SECONDS} s: no member of cluster {options.cluster} is publishing")


class StreamReader:
    """A stream's records behind a position, checked."""

    def __init__(self, options, stream, position):
        self.topic, self.partition = stream["topic"], stream["partition"]
        self.is_compacted = options.mode == "net"  # what newer records supersede is removed, and no gap
        self.prefix = stream["key_prefix"].encode()
        low, self.end = bounds(options, self.topic, self.partition)
        self.start = self.hint = None
        if position is not None:
            topic, epoch, seq, offset = position
            self.start = (epoch, seq)
            # Where the position's record must lie; None once that is certain, or was given up.
            self.hint = offset if topic == self.topic and low <= offset < self.end else None
        self.checker = SequenceChecker(first=1, after=self.start)
        self.gap = None  # the offset of a record before which numbers are missing in this very topic
        self.consumer = consumer(options)
        self._begin(OFFSET_BEGINNING if self.hint is None else self.hint)

    def _begin(self, offset):
        self.next = 0  # the offset behind what was read
        self.offsets = PartitionOffsets(0 if offset == OFFSET_BEGINNING else offset)
        self.consumer.assign([TopicPartition(self.topic, self.partition, offset)])

    def is_at_end(self):
        """Whether all is read that was there when reading began."""
        return self.next >= self.end

    def poll(self, timeout):
        """(rows, events, position) of what comes next; position None: where it was.

        One record at a time: before librdkafka 2.1 a batch may lose some where reading begins elsewhere.
        """
        rows, events, position = [], [], None
        for _ in range(BATCH_RECORDS_MAX):
            record = self.consumer.poll(timeout)
            timeout = 0
            if record is None:
                break
            if record.error() is not None:
                if record.error().code() == KafkaError._PARTITION_EOF:
                    self.next = max(self.next, record.offset())
                else:
                    say("error", str(record.error()))
                continue
            if record.offset() < self.next:  # the topic was made again
                self._begin(OFFSET_BEGINNING)
                break
            if not self._is_where_it_was(record):
                self._read_again()
                return [], [], None
            if not self._is_of_topic(record):
                self.gap, self.start = record.offset(), self.checker.last
                self._read_again()
                break
            self.next = record.offset() + 1
            position = self._judge(record, rows, events) or position
        return rows, events, position

    def _read_again(self):
        """From the topic's beginning; what comes up to the start is passed over."""
        self.hint = None
        self.checker = SequenceChecker(first=1, after=self.start)
        self._begin(OFFSET_BEGINNING)

    def _is_of_topic(self, record):
        """False where numbers are missing that have no room: the topic may have been made again, and have grown past
        where reading was."""
        point = self._point(record)
        if self.checker.last is None or self.gap == record.offset() or None in point or not self._is_own(record):
            return True
        verdict = copy.copy(self.checker).take(*point)
        is_made_again, has_room = copy.copy(self.offsets).take(point[1], verdict, record.offset())
        return has_room or is_made_again

    def _point(self, record):
        headers = dict(record.headers() or [])
        return count(headers.get("belfry-epoch")), count(headers.get("belfry-seq"))

    def _is_own(self, record):
        return (record.key() or b"").startswith(self.prefix)

    def _is_where_it_was(self, record):
        """Whether the hint holds, as far as this record tells."""
        if self.hint is None:
            return True
        point = self._point(record) if self._is_own(record) else (None, None)
        if record.offset() == self.hint:
            holds = point == self.start
        elif None in point:
            return True
        else:  # the very record was removed: that the next one follows it is as good
            holds = point[0] >= self.start[0] and point[1] == self.start[1] + 1
        if holds:
            self.hint = None
        return holds

    def _judge(self, record, rows, events):
        """Appends what the record is; gives its position where it counts."""
        if not self._is_own(record):
            self.offsets.skip(record.offset())
            return None
        epoch, seq = self._point(record)
        place = {"epoch": epoch, "seq": seq, "offset": record.offset()}
        if epoch is None or seq is None:
            self.offsets.skip(record.offset())
            events.append(("foreign", json.dumps(place)))
            return None
        verdict = self.checker.take(epoch, seq)
        is_made_again, has_room = self.offsets.take(seq, verdict, record.offset())
        if verdict == "passed":
            return None
        if verdict in ("fenced", "repeated"):
            events.append((verdict, json.dumps(place)))
            return None
        _, is_restart, missing = verdict
        if is_made_again:
            events.append(("made_again", json.dumps(place)))
        if is_restart:
            events.append(("restarted", json.dumps(place)))
        if missing is not None:
            what = "compacted" if self.is_compacted and has_room else "gap"
            events.append((what, json.dumps({**place, "first": missing[0], "last": missing[1]})))
        self._read(record, epoch, seq, place, rows, events)
        return (epoch, seq, record.offset())

    def _read(self, record, epoch, seq, place, rows, events):
        key = (record.key() or b"")[len(self.prefix) :].decode(errors="replace")
        value = json_object(record.value())
        if record.value() is None:  # a net stream's row that left the view
            value = {"op": "d"}
        elif value is None:
            events.append(("unreadable", json.dumps({**place, "reason": "the value is no JSON object"})))
            return
        elif "source" not in value:  # a net stream's row
            value = {"op": "u", "after": value}
        op, before, after = value.get("op"), value.get("before"), value.get("after")
        if op == "m":  # news of the stream, such as changes that were lost before they could be published
            events.append(("notice", json.dumps({**place, "value": value})))
        image = [None if row is None else json.dumps(row, ensure_ascii=False) for row in (before, after)]
        rows.append((epoch, seq, key, str(op), *image, record.timestamp()[1]))


# -- The program ------------------------------------------------------------------------------------------------------


def say(what, detail):
    print(json.dumps({"event": what, "detail": detail}), file=sys.stderr, flush=True)


def run(options):
    """Until a signal comes, or, with --once, up to the stream's present end."""
    stopping = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.append(True))
    store = Store(options.database)
    reply = request(options, store)
    if reply.get("status") != "active" or "stream" not in reply:
        raise SystemExit(f"gateway: not accepted: {json.dumps(reply.get('error', reply))}")
    stream = reply["stream"]
    position = store.position(stream["id"])
    say("following", {"topic": stream["topic"], "after": position and position[1:3]})
    reader = StreamReader(options, stream, position)
    while not stopping and not (options.once and reader.is_at_end()):
        rows, events, position = reader.poll(0.2)
        if rows or events:
            store.write(stream["id"], stream["topic"], rows, events, position)
            for what, detail in events:
                say(what, json.loads(detail))
    reader.consumer.close()


def self_test(path):
    """Runs the cases that every reader library runs (Tests/Sequences/cases.txt)."""
    ran = failed = 0
    for line in open(path, encoding="utf-8"):
        if not line.strip() or line.startswith("#"):
            continue
        name, start, steps = (cell.strip() for cell in line.split("|"))
        kind, _, argument = start.partition(" ")
        checker = SequenceChecker(
            first=int(argument) if kind == "from" else None,
            after=tuple(int(number) for number in argument.split(":")) if kind == "after" else None,
        )
        offsets = PartitionOffsets(0)
        ran += 1
        for step in steps.split():
            record, _, wanted = step.partition("=")
            record, _, offset = record.partition("@")
            if record == "*":
                offsets.skip(int(offset))
                continue
            found = spelt(checker, offset and offsets, offset, *record.split(":"))
            if found != wanted:
                failed += 1
                print(f"{name}: {record} is {found}, wanted {wanted}")
                break
    print(f"{ran} cases, {failed} failed")
    return 1 if failed or not ran else 0


def spelt(checker, offsets, offset, epoch, seq):
    epoch, seq = (count(None if text == "-" else text.encode()) for text in (epoch, seq))
    if epoch is None or seq is None:
        return "invalid"
    verdict = checker.take(epoch, seq)
    is_made_again, has_room = offsets.take(seq, verdict, int(offset)) if offsets else (False, False)
    if isinstance(verdict, str):
        return verdict
    _, is_restart, missing = verdict
    words = ["again"] if is_made_again else []
    words += ["restart"] if is_restart else []
    words += [f"{'room' if has_room else 'gap'}({missing[0]}..{missing[1]})"] if missing else []
    return ",".join(words + ["deliver"])


def main():
    parser = argparse.ArgumentParser(
        description="Keeps a stream of Belfry in an SQLite database, each record once.",
        epilog="example: gateway.py --sql 'SELECT Node, Severity, Summary FROM alerts' --database alerts.db",
    )
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", help="where Kafka is (%(default)s)")
    parser.add_argument("--cluster", default="belfry", help="the cluster's name (%(default)s)")
    parser.add_argument("--client", default="python-gateway", help="on whose behalf (%(default)s)")
    parser.add_argument("--name", default="history", help="the request's name (%(default)s)")
    parser.add_argument("--mode", default="all", help="the stream's mode (%(default)s)")
    parser.add_argument("--sql", help="the view whose changes are kept: a SELECT")
    parser.add_argument("--database", default="history.db", help="the SQLite file (%(default)s)")
    parser.add_argument("--once", action="store_true", help="stop at what is now the stream's end")
    parser.add_argument("--end", action="store_true", help="end the request, and with its last client the stream")
    parser.add_argument("--selftest", metavar="CASES", help="check the reader's rules against a file of cases")
    options = parser.parse_args()
    if options.selftest:
        sys.exit(self_test(options.selftest))
    if confluent_kafka is None:
        raise SystemExit("gateway: confluent-kafka is missing (Debian: apt-get install python3-confluent-kafka)")
    try:
        start(options, parser)
    except confluent_kafka.KafkaException as error:
        raise SystemExit(f"gateway: {options.bootstrap}: {error.args[0]}")


def start(options, parser):
    if options.end:
        return send(options, f"{options.cluster}.requests", f"{options.client}/{options.name}", None)
    if not options.sql:
        parser.error("--sql is missing")
    run(options)


if __name__ == "__main__":
    main()
