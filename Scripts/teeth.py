#!/usr/bin/env python3
"""Shows that the tests have teeth: takes Belfry's protections away, one at a time, and sees tests turn red.

Copies the sources, patches all protections in the copy, each behind a switch, and builds that once. Then the tests run
with all protections (they must pass) and without each one (they must fail). Writes the table of docs/proof.md.

    Scripts/teeth.py                   all of them; the copy is .build-teeth, kept for the next time
    Scripts/teeth.py "seq"             only those whose name has this in it
    Scripts/teeth.py --check           only whether each patch still applies: once each, in the file that it names
    Scripts/teeth.py --in-place        this tree is a copy already: patch it where it is

A patch replaces one text, which must be in its file exactly once; what the switch is called there is WITHOUT. Where it is
not found the script says so and fails: whoever changed that code says anew how the protection is taken away.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COPIED = ["Sources", "Tests", "Connectors", "Benchmarks", "docs", "Package.swift"]
TEST_SECONDS_MAX = 900


class Protection(NamedTuple):
    name: str
    without: str  # what is done instead, for the table
    file: str
    old: str
    new: str
    tests: str  # one of them must fail


SIMULATION = "SimulationTests"

PROTECTIONS = [
    # Seats
    Protection(
        "who takes the table's seat fences its former holder",
        "each process has a transactional id of its own",
        "Sources/Table/Leader.swift",
        "bus.makeProducer(transactionalID: settings.seat)",
        'bus.makeProducer(transactionalID: settings.seat + (WITHOUT ? "-\\(clock.elapsed())" : ""))',
        SIMULATION + "|ServiceTests.MemberLifeTests",
    ),
    Protection(
        "who takes the publisher's seat fences its former holder",
        "each process has a transactional id of its own",
        "Sources/Notifier/Publisher.swift",
        'settings.topics.publishSeat, role: "publisher"',
        'settings.topics.publishSeat + (WITHOUT ? "-\\(clock.elapsed())" : ""), role: "publisher"',
        SIMULATION,
    ),
    # The table
    Protection(
        "consumed positions are in the table's transaction",
        "no `sendOffsets`",
        "Sources/Table/Leader.swift",
        "try producer.sendOffsets(positions, group: group)",
        "if !WITHOUT { try producer.sendOffsets(positions, group: group) }",
        SIMULATION,
    ),
    Protection(
        "the changelog, too, says what was consumed",
        "what it says is not looked at",
        "Sources/Table/Restore.swift",
        "    self.shard(shard)?.consumed\n",
        "    WITHOUT ? nil : self.shard(shard)?.consumed\n",
        "TableTests.ShardTests|ServiceTests.MemberLifeTests",
    ),
    Protection(
        "positions of shards that did not move are committed, too",
        "only those of shards that moved",
        "Sources/Table/Transaction.swift",
        "    for shard in led where shard.isServing {\n      positions[",
        "    for shard in led where shard.isServing {\n"
        "      if WITHOUT, isFinished, shard.state.events == shard.committed.events { continue }\n      positions[",
        SIMULATION + "|TableTests.ShardTests",
    ),
    Protection(
        "shards are restored before they serve",
        "they serve at once",
        "Sources/Table/Leader.swift",
        "    try restore(shards)\n",
        "    if !WITHOUT { try restore(shards) }\n",
        SIMULATION,
    ),
    Protection(
        "a restore ends at the high watermark",
        "at the last stable offset",
        "Sources/Bus/Bus.swift",
        "      ends[partition] = try endOffset(partition, isolation: .uncommitted)\n",
        "      ends[partition] = try endOffset(partition, isolation: WITHOUT ? .committed : .uncommitted)\n",
        SIMULATION + "|BusTests|ServiceTests|NotifierTests",
    ),
    Protection(
        "an aborted transaction's input is read again",
        "no rewind",
        "Sources/Table/Leader.swift",
        "      try consumer?.seek(to: table.aborted())\n",
        "      let back = table.aborted()\n      if !WITHOUT { try consumer?.seek(to: back) }\n",
        SIMULATION,
    ),
    Protection(
        "an aborted transaction's rows are put back",
        "they stay as they are",
        "Sources/Table/Transaction.swift",
        "    for (index, entry) in open.entries.enumerated() { putBack(entry, open.image(index)) }\n",
        "    for (index, entry) in open.entries.enumerated() {\n"
        "      if WITHOUT { slots[Int(entry.slot)].isOpen = false } else { putBack(entry, open.image(index)) }\n"
        "    }\n",
        SIMULATION,
    ),
    Protection(
        "records that were read before are passed over",
        "the inbox's are applied again",
        "Sources/Table/Inbox.swift",
        "guard record.offset >= shard.inboxRead else",
        "guard WITHOUT || record.offset >= shard.inboxRead else",
        "TableTests",
    ),
    Protection(
        "a clear waits for the events that were there before it",
        "it is applied at once",
        "Sources/Table/Inbox.swift",
        "shard.state.events >= watermark else",
        "WITHOUT || shard.state.events >= watermark else",
        "TableTests.InboxTests",
    ),
    # The publisher
    Protection(
        "sequence counts go on where progress says",
        "each start counts from 1",
        "Sources/Notifier/Progress.swift",
        "?? 0 { streams[key] = state }\n",
        "?? 0 {\n      streams[key] = StreamState(\n"
        "        epoch: state.epoch, seq: WITHOUT ? 0 : state.seq, creation: state.creation)\n    }\n",
        SIMULATION + "|NotifierTests.PublisherLifeTests",
    ),
    Protection(
        "a count belongs to one life of its stream",
        "a stream that is made again counts on",
        "Sources/Notifier/Progress.swift",
        "state.creation == place.creation else { return 0 }",
        "WITHOUT || state.creation == place.creation else { return 0 }",
        "NotifierTests.ProgressTests|NotifierTests.SweepTests",
    ),
    Protection(
        "an epoch is claimed before anything is published in it",
        "it is used without a claim",
        "Sources/Notifier/Starting.swift",
        "      effects, claiming: counts.epoch,",
        "      effects, claiming: WITHOUT ? nil : counts.epoch,",
        SIMULATION + "|NotifierTests.PublisherLifeTests",
    ),
    Protection(
        "a stream that lives again begins in a higher epoch",
        "it begins in the present one",
        "Sources/Notifier/CarryingOut.swift",
        "    return ended.count > settings.endedPerEpochMax\n      || all",
        "    return !WITHOUT && ended.count > settings.endedPerEpochMax\n      || !WITHOUT && all",
        SIMULATION + "|NotifierTests.PublisherLifeTests",
    ),
    Protection(
        "a restart publishes the difference to what is on the topic",
        "all rows again",
        "Sources/Notifier/Sweep.swift",
        "      if let found = contents.take(run.id), !found.isEmpty {\n",
        "      if let found = contents.take(run.id), !found.isEmpty, !WITHOUT {\n",
        SIMULATION,
    ),
    Protection(
        "a lane that ends says null for its keys",
        "they stay",
        "Sources/Notifier/CarryingOut.swift",
        "ended.filter { $0.placement == .lane && $0.mode == .net }",
        "ended.filter { $0.placement == .lane && $0.mode == .net && !WITHOUT }",
        SIMULATION + "|NotifierTests.PublisherLifeTests",
    ),
    Protection(
        "what was collected in a stream's former life is not published in its next",
        "it is",
        "Sources/Notifier/Sweeping.swift",
        "    for id in running!.begunAgain { streams[id] = nil }\n",
        "    for id in running!.begunAgain where !WITHOUT { streams[id] = nil }\n",
        "NotifierTests.PublisherLifeTests",
    ),
    Protection(
        "topics that a crash left behind are deleted",
        "they stay",
        "Sources/Notifier/Starting.swift",
        "    streamTopics.deleteLeftovers(listed, ofEveryChange: false, living: streams)\n",
        "    if !WITHOUT { streamTopics.deleteLeftovers(listed, ofEveryChange: false, living: streams) }\n",
        "NotifierTests.PublisherLifeTests",
    ),
    Protection(
        "a lease waits for renewals that are not read yet",
        "it ends by the clock alone",
        "Sources/Notifier/Publisher.swift",
        "running!.requests.position(partition) >= end else { return }",
        "WITHOUT || running!.requests.position(partition) >= end else { return }",
        "NotifierTests.PublisherLifeTests",
    ),
    Protection(
        "a definition's id is known when it comes again",
        "it is carried out again",
        "Sources/Requests/Commands.swift",
        "    if let known = answers[id], !known",
        "    if !WITHOUT, let known = answers[id], !known",
        "RequestsTests.CommandTests",
    ),
    Protection(
        "no history begins with rows that are older than the changelog",
        "the changelog is not asked",
        "Sources/Notifier/Changes/ChangeSnapshots.swift",
        "    guard try findChanges() else { return }\n",
        "    if !WITHOUT { guard try findChanges() else { return } }\n",
        "NotifierTests.ChangePublisherTests",
    ),
    Protection(
        "a flush is answered only by a sweep that shows its positions",
        "by the next",
        "Sources/Notifier/Flushing.swift",
        "      guard flush.isReached(at: collected.state) else {\n",
        "      guard WITHOUT || flush.isReached(at: collected.state) else {\n",
        "NotifierTests.FlushTests",
    ),
    Protection(
        "a flush waits for the commands before it that run",
        "only for those that have not begun",
        "Sources/Table/Commands/ReadingCommands.swift",
        "min($0.next, $0.firstUnderway ?? .max)",
        "min($0.next, WITHOUT ? .max : $0.firstUnderway ?? .max)",
        "TableTests.CommandTests|ServiceTests.ChangeTests",
    ),
    # Changes by clients
    Protection(
        "a change's id is known when it comes again",
        "it is done again",
        "Sources/Table/Commands/ReadingCommands.swift",
        "    if let state = desk[id], !state",
        "    if !WITHOUT, let state = desk[id], !state",
        "TableTests.CommandTests",
    ),
    Protection(
        "replies are restored before commands are read",
        "none is known after a restart",
        "Sources/Table/Commands/ReadingCommands.swift",
        "      desk!.restore(Array(id), state)\n",
        "      if !WITHOUT { desk!.restore(Array(id), state) }\n",
        "TableTests.CommandTests",
    ),
    # The publisher of every change
    Protection(
        "who takes the seat of changes fences its former holder",
        "each process has a transactional id of its own",
        "Sources/Notifier/Changes/ChangePublisher.swift",
        'settings.topics.liveSeat, role: "changes"',
        'settings.topics.liveSeat + (WITHOUT ? "-\\(clock.elapsed())" : ""), role: "changes"',
        SIMULATION + "|NotifierTests.ChangePublisherTests",
    ),
    Protection(
        "how far the changelog is told is in the transaction of the records",
        "it is not written",
        "Sources/Notifier/Changes/ChangeTransactions.swift",
        '    append(told.text, key: "*/\\(settings.topics.liveSeat)", time, to: out)\n',
        '    if !WITHOUT { append(told.text, key: "*/\\(settings.topics.liveSeat)", time, to: out) }\n',
        SIMULATION,
    ),
    Protection(
        "a history's count goes on where progress says",
        "each start counts from 1",
        "Sources/Notifier/Changes/ChangeStream.swift",
        "    (seq, next) = (found.seq, found.seq)\n",
        "    (seq, next) = WITHOUT ? (0, 0) : (found.seq, found.seq)\n",
        SIMULATION,
    ),
    Protection(
        "changes that a snapshot held are not told again",
        "they are",
        "Sources/Notifier/Changes/ChangeReading.swift",
        "    case .following: stream.hasTold(shard, change) ? nil : running!.items\n",
        "    case .following: stream.hasTold(shard, change) && !WITHOUT ? nil : running!.items\n",
        SIMULATION + "|NotifierTests.ChangePublisherTests",
    ),
    Protection(
        "changes that were lost are announced on the stream",
        "the next one follows silently",
        "Sources/Notifier/Changes/ChangeReading.swift",
        "      if change > reached + 1 { tellGap(shard, reached + 1, change - 1) }\n",
        "      if change > reached + 1, !WITHOUT { tellGap(shard, reached + 1, change - 1) }\n",
        "NotifierTests.ChangePublisherTests",
    ),
    Protection(
        "an immediate stream begins with the first change behind its reply",
        "it begins where the changelog is when somebody takes it up",
        "Sources/Notifier/CarryingOut.swift",
        "guard all.contains(where: { $0.started",
        "guard !WITHOUT, all.contains(where: { $0.started",
        SIMULATION,
    ),
    Protection(
        "what is read again for an immediate stream is told on no other",
        "it is told on all",
        "Sources/Notifier/Changes/ChangeReading.swift",
        "stream.from[head.shard].map({ record.offset >= $0 }) ?? !isAgain",
        "WITHOUT || (stream.from[head.shard].map({ record.offset >= $0 }) ?? !isAgain)",
        SIMULATION + "|NotifierTests.ChangeBeginningTests",
    ),
    Protection(
        "how an immediate stream begins is not hidden by the last word on its former life",
        "the last record counts",
        "Sources/Notifier/Changes/ChangeProgress.swift",
        "if state.creation >= streams[key]?.creation ?? 0 {",
        "if WITHOUT || state.creation >= streams[key]?.creation ?? 0 {",
        "NotifierTests.ChangeBeginningTests",
    ),
    # A gateway's side
    Protection(
        "a reader drops a replaced publisher's records",
        "it takes them",
        "Sources/ConnectorKit/SequenceChecker.swift",
        "    if point.epoch < last.epoch { return .fenced }\n",
        "    if point.epoch < last.epoch, !WITHOUT { return .fenced }\n",
        "ConnectorKitTests.SequenceTests",
    ),
    Protection(
        "a reader believes a position's offset only where the record lies there",
        "always",
        "Sources/Client/HistoryReader.swift",
        "    guard let offset = hint else { return true }\n",
        "    guard !WITHOUT, let offset = hint else { return true }\n",
        "ClientTests.ResumingTests",
    ),
]

SWITCH = """\
import Glibc

/// Which protection this run of the tests does without (Scripts/teeth.py); 0: none.
private let number = getenv("TEETH_WITHOUT").flatMap { Int32(String(cString: $0)) } ?? 0
@inline(never) func isWithout(_ protection: Int32) -> Bool { number == protection }
"""


def fail(message):
    sys.exit(f"teeth: {message}")


def patched(text, number):
    """The text of a file with the patch of protection `number`, or a failure."""
    protection = PROTECTIONS[number - 1]
    found = text.count(protection.old)
    if found != 1:
        fail(
            f"{protection.file} has this {found} times, it must be once; how is \"{protection.name}\" taken away now?\n"
            + protection.old
        )
    return text.replace(protection.old, protection.new.replace("WITHOUT", f"isWithout({number})"))


def patch(tree):
    """Patches all protections; gives how many files that were."""
    texts, switches = {}, set()
    for number, protection in enumerate(PROTECTIONS, 1):
        path = tree / protection.file
        texts[path] = patched(texts.get(path) or path.read_text(), number)
        switches.add(tree / Path(*Path(protection.file).parts[:2]) / "Without.swift")
    if tree == ROOT and "--check" in sys.argv:
        return
    for path, text in [*texts.items(), *((path, SWITCH) for path in switches)]:
        path.write_text(text)


def copy(tree):
    """The sources, as they are; what was built of the last copy stays, and what is as it was keeps its time."""
    for name in COPIED:
        source, target = ROOT / name, tree / name
        if source.is_file():
            shutil.copy2(source, target)
            continue
        for folder, _, files in os.walk(target, topdown=False):
            for file in files:
                if not (source / Path(folder).relative_to(target) / file).exists():
                    os.remove(os.path.join(folder, file))
        shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)


def swift(tree, arguments, without=0, seeds=1, seconds=None):
    environment = {**os.environ, "TEETH_WITHOUT": str(without), "BELFRY_SIMULATION_SEEDS": str(seeds)}
    environment.pop("KAFKA_HOME", None)
    process = subprocess.Popen(
        ["swift", *arguments], cwd=tree, env=environment, text=True, errors="replace", stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return None, process.communicate()[0]


def red(output, status):
    """What turned red, in a few words; None where nothing did."""
    if status == 0:
        return None
    failed = re.findall(r'^. Test (?:"(.+?)"|(\S+\(.*?\))) .*failed after', output, re.MULTILINE)
    names = list(dict.fromkeys(name or other for name, other in failed))
    fault = re.search(r"seed \d+: (.+)", output)
    if not names:
        trap = re.search(r"(?:[\w/]+\.swift:\d+: )?(?:Fatal error|Precondition failed)[^\n]*", output)
        return f"hung for {TEST_SECONDS_MAX} s" if status is None else f"trap: {trap.group(0) if trap else output[-300:]}"
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"`{names[0]}`{rest}" + (f": {cut(fault.group(1))}" if fault else "")


def cut(text, width=120):
    text = text.replace("|", "/").strip()
    return text if len(text) <= width else text[: width - 1] + "…"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="?", default="", help="only protections whose name has this in it")
    parser.add_argument("--check", action="store_true", help="only whether the patches apply")
    parser.add_argument("--seeds", type=int, default=40, help="seeds of a simulation (%(default)s)")
    parser.add_argument("--in-place", action="store_true", help="patch this tree, which is a copy")
    parser.add_argument("--built", action="store_true", help="the copy is patched and built already")
    options = parser.parse_args()
    chosen = [n for n, protection in enumerate(PROTECTIONS, 1) if options.only in protection.name]
    if not chosen:
        fail(f"no protection has \"{options.only}\" in its name")
    if options.check:
        patch(ROOT)
        return print(f"{len(PROTECTIONS)} patches apply")
    tree = ROOT if options.in_place else ROOT / ".build-teeth"
    if not options.built:
        make(tree, options.in_place)
    everything = "|".join(sorted({test for n in chosen for test in PROTECTIONS[n - 1].tests.split("|")}))
    print("With all protections: ", end="", flush=True)
    found = red(*reversed(run(tree, everything, 0, options.seeds)))
    if found:
        fail(f"the tests are red with all protections: {found}")
    print("green\n\n| protection | what was done instead | what turned red |\n| --- | --- | --- |", flush=True)
    toothless = []
    for number in chosen:
        protection = PROTECTIONS[number - 1]
        status, output = run(tree, protection.tests, number, options.seeds)
        found = red(output, status)
        if found is None:
            toothless.append(protection.name)
        print(f"| {protection.name} | {protection.without} | {found or '**nothing**'} |", flush=True)
    if toothless:
        fail(f"nothing turned red without: {'; '.join(toothless)}")


def make(tree, is_copy):
    if not is_copy:
        tree.mkdir(exist_ok=True)
        copy(tree)
    patch(tree)
    status, output = swift(tree, ["build", "--build-tests"])
    if status != 0:
        fail(f"the patched sources do not build:\n{output[-4000:]}")


def run(tree, tests, without, seeds):
    arguments = ["test", "--disable-xctest", "--skip-build", "--filter", f"^({tests})"]
    return swift(tree, arguments, without, seeds, TEST_SECONDS_MAX)


if __name__ == "__main__":
    main()
