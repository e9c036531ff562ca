"""From raw messages to usage sessions: what the readings of one portion prove."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import chain, repeat
from operator import attrgetter, lt
from typing import IO, Any

from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval
from billing.rules.dossier.portion import CONTENT, Reader
from billing.rules.dossier.raw import Said, meter_of, said_by
from billing.rules.dossier.register import number_of
from billing.rules.dossier.wrong import DoesNotHold, insist
from devices.rules import merkle
from devices.rules.leaf import EPOCH, READING_FORMAT
from devices.rules.sample import Sample, in_order
from devices.rules.sealed import MARK, Block, SealPart
from devices.rules.span import Profile
from devices.rules.usage import DerivedUsage, sessions_by_version

LEAF = f"\0{READING_FORMAT}|".encode()
NATIVE = "native"
_AS_SAMPLE: Callable[[tuple[Any, ...]], Sample] = partial(tuple.__new__, Sample)
_TAKEN_AT = attrgetter("taken_at")


@dataclass(slots=True)
class Proved:
    """What one portion was found to prove. ``by_digest`` are readings whose dialect is not read again here."""

    readings: int = 0
    by_digest: int = 0
    sessions: dict[int, DerivedUsage] = field(default_factory=dict)


def prove_portion(
    name: str, source: IO[bytes], sessions: Mapping[int, Mapping[str, Any]], seals: Mapping[int, tuple[int, str]]
) -> Proved:
    """Follow the readings of an unpacked portion to their seals, and derive its sessions from them again.

    Shape: ``sessions`` by id, as told beside their charges; of each seal the number of leaves and the root.
    Errors: ``DoesNotHold``.
    """
    reader = Reader(name, source)
    proved = Proved()
    native = {str(span["meter"]).encode() for span in reader.spans if span["dialect"] == NATIVE}
    by_meter: dict[bytes, list[Sample]] = defaultdict(list)
    for part in reader.parts():
        found = []
        for block in part.blocks:
            at = f"{name}, seal {part.seal_id}, block {block.number}"
            leaves, by_digest = _read(at, block, native, by_meter)
            found.append(leaves)
            proved.readings += len(block.rows)
            proved.by_digest += by_digest
        _insist_sealed(name, part, found, seals)
    samples = {meter: _ascending(some) for meter, some in by_meter.items()}
    for span in reader.spans:
        proved.sessions.update(_derive(name, span, samples.get(str(span["meter"]).encode(), []), sessions))
    return proved


def _read(at: str, block: Block, native: set[bytes], by_meter: dict[bytes, list[Sample]]) -> tuple[list[bytes], int]:
    """The leaf hashes of a block, and how many of its readings were not read again from their message.

    Its samples are added to those of their meters.
    """
    digests: list[Iterable[bytes]] = []
    other_rows: list[bytes] = []
    other_contents: list[bytes] = []
    first = 0
    for message in block.messages:
        topic, payload, last = message.topic, message.payload, first + message.readings
        digest = b"|" + sha256(topic.encode() + b"\0" + payload).hexdigest().encode()
        digests.append(repeat(digest, message.readings))
        rows = block.rows[first:last]
        contents = [block.contents[one : one + CONTENT] for one in range(first * CONTENT, last * CONTENT, CONTENT)]
        meter = meter_of(topic).encode()
        said = _said(at, topic, payload, rows) if meter in native else None
        if said is not None:
            by_meter[meter] += _samples(said, contents)
        else:
            other_rows += rows
            other_contents += contents
        first = last
    if other_rows:
        _take(other_rows, other_contents, by_meter)
    ends = chain.from_iterable(digests)
    return [sha256(LEAF + row + end).digest() for row, end in zip(block.rows, ends, strict=True)], len(other_rows)


def _said(at: str, topic: str, payload: bytes, rows: Sequence[bytes]) -> Said:
    """What a message said of ``rows``. Errors: ``DoesNotHold`` naming the reading that it did not say so."""
    try:
        said = said_by(topic, payload, like=rows[0])
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise DoesNotHold(at, f"a message of {topic}", expected="a native message", found=repr(error)) from None
    try:
        return said if said.rows == rows else said.only(rows)
    except KeyError as missing:
        row: bytes = missing.args[0]
    known = {one.split(b"|", 3)[2]: one for one in said.rows}
    expected = known.get(row.split(b"|", 3)[2], b"nothing of this number")
    raise DoesNotHold(at, _reading(row), expected=f"{expected.decode()} (its message says)", found=row.decode())


def _insist_sealed(
    name: str, part: SealPart, found: Sequence[Sequence[bytes]], seals: Mapping[int, tuple[int, str]]
) -> None:
    """Errors: ``DoesNotHold`` naming the reading that is not what was sealed, or the proof."""
    which = f"seal {part.seal_id}"
    seal = seals.get(part.seal_id)
    if seal is None:
        raise DoesNotHold(name, which, expected="one of seals.jsonl", found="none")
    count, sealed = seal
    insist(name, f"{which}, leaves", expected=count, found=part.leaves)
    roots = [
        merkle.root_of_some(leaves, block.places, size=_size(part, block), others=block.others)
        for block, leaves in zip(part.blocks, found, strict=True)
    ]
    blocks, whole = [block.number for block in part.blocks], -(-part.leaves // merkle.BLOCK)
    known = [one for one in roots if one is not None]
    root = merkle.root_of_some(known, blocks, size=whole, others=part.others) if known == roots else None
    if root is not None and root.hex() == sealed:
        return
    for block, leaves, own in zip(part.blocks, found, roots, strict=True):
        at = f"{name}, {which}, block {block.number}"
        _insist_marked(at, block, leaves)
        if own is None:
            raise DoesNotHold(at, "the proof", expected=f"a proof among {_size(part, block)} leaves", found="another")
    told = "no root" if root is None else root.hex()
    raise DoesNotHold(name, f"{which}, the proofs of blocks {blocks}", expected=sealed, found=told)


def _size(part: SealPart, block: Block) -> int:
    return min(merkle.BLOCK, part.leaves - block.number * merkle.BLOCK)


def _insist_marked(at: str, block: Block, leaves: Sequence[bytes]) -> None:
    for leaf, row, first in zip(leaves, block.rows, range(0, len(block.marks), MARK), strict=True):
        mark = block.marks[first : first + MARK]
        if leaf[:MARK] != mark:
            raise DoesNotHold(at, _reading(row), expected=f"{mark.hex()}… (sealed)", found=f"{leaf[:MARK].hex()}…")


def _samples(said: Said, contents: Iterable[bytes]) -> Iterable[Sample]:
    """What a message said. Column by column: this sees every reading."""
    seqs, at_ms, power_mw, energy_mwh, running, counts = said.columns
    times = [EPOCH + timedelta(0, 0, 0, one) for one in at_ms]
    boots = repeat(said.boot)
    return map(_AS_SAMPLE, zip(times, boots, seqs, power_mw, energy_mwh, running, contents, counts, strict=False))


def _take(rows: Sequence[bytes], contents: Iterable[bytes], by_meter: dict[bytes, list[Sample]]) -> None:
    """The rows as samples, by their meter. Column by column, too."""
    columns = zip(*[row.split(b"|") for row in rows], strict=True)
    meters, boots, seqs, times, powers, energies, runnings, counts, *_ = columns
    samples = map(
        _AS_SAMPLE,
        zip(
            [EPOCH + timedelta(0, 0, one) for one in map(int, times)],
            map(int, boots),
            map(int, seqs),
            _numbers(powers),
            _numbers(energies),
            [one == b"t" if one else None for one in runnings] if any(runnings) else repeat(None, len(runnings)),
            contents,
            _numbers(counts),
            strict=True,
        ),
    )
    for meter, sample in zip(meters, samples, strict=True):
        by_meter[meter].append(sample)


def _ascending(samples: list[Sample]) -> list[Sample]:
    """In order; most come so, since they were sealed as they were heard."""
    times = list(map(_TAKEN_AT, samples))
    return samples if all(map(lt, times, times[1:])) else in_order(samples)


def _numbers(words: Sequence[bytes]) -> Iterable[int | None]:
    """Mostly all of a column are there, or none."""
    if all(words):
        return map(int, words)
    return [int(one) if one else None for one in words] if any(words) else repeat(None, len(words))


def _derive(
    name: str, span: Mapping[str, Any], samples: Sequence[Sample], sessions: Mapping[int, Mapping[str, Any]]
) -> dict[int, DerivedUsage]:
    """The sessions of one span as its readings make them. Errors: ``DoesNotHold`` where they are told otherwise."""
    when = interval(span["start"], span["end"])
    profile = profile_of(span["profile"])
    first = bisect_left(samples, when.start, key=_TAKEN_AT)
    inside = samples[first : bisect_right(samples, when.end, lo=first, key=_TAKEN_AT)]
    slots = [BookedSlot(one["reservation"], 0, 0, interval(one["start"], one["end"])) for one in span["slots"]]
    derived = sessions_by_version(inside, [profile], slots, until=when.end + 2 * profile.max_gap)
    by_start = {usage.when.start: usage for usage in derived}
    found = {}
    for number in span["sessions"]:
        number_of(name, f"a session of meter {span['meter']}", number)
        told = sessions.get(number)
        if told is None:
            raise DoesNotHold(name, f"session {number}", expected="told beside its charges", found="nothing")
        usage = by_start.get(moment(told["start"]))
        which = f"session {number} of meter {span['meter']}"
        insist(name, f"session {number}, its meter", expected=span["meter"], found=told["meter"])
        if usage is None:
            raise DoesNotHold(name, which, expected=f"use from {told['start']} on", found=f"{len(inside)} readings")
        insist(name, f"{which}, readings", expected=told["readings"], found=usage.readings_count)
        insist(name, f"{which}, end", expected=moment(told["end"]), found=usage.when.end)
        for key, value in _figures(usage).items():
            insist(name, f"{which}, {key}", expected=told[key], found=value)
        found[number] = usage
    return found


def _figures(usage: DerivedUsage) -> dict[str, Any]:
    second = timedelta(seconds=1)
    return {
        "energy_mwh": usage.energy_mwh,
        "running_s": usage.running // second,
        "counted": usage.counted,
        "gap_s": usage.gap // second,
        "reservation": usage.reservation_id,
        "profile_version": usage.profile_version,
        "digest": usage.readings_digest,
    }


def profile_of(told: Mapping[str, Any]) -> Profile:
    """A version of a profile from its whole numbers; seconds where they end so."""
    return Profile(
        run_on_w=told["run_on_w"],
        run_off_w=told["run_off_w"],
        min_on=timedelta(seconds=told["min_on_s"]),
        min_off=timedelta(seconds=told["min_off_s"]),
        max_gap=timedelta(seconds=told["max_gap_s"]),
        rated_w=told["rated_w"],
        version=told["version"],
        spike_w=told["spike_w"],
        counter_modulus_mwh=told["counter_modulus_mwh"],
    )


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def interval(start: str, end: str) -> Interval:
    return Interval(moment(start), moment(end))


def _reading(row: bytes) -> str:
    meter, boot, seq = row.decode().split("|", 3)[:3]
    return f"reading of meter {meter}, boot {boot}, number {seq}"
