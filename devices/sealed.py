"""The door to evidence: the readings behind sessions, with their messages, and what proves that they were sealed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from app.kernel.errors import Conflict
from app.kernel.interval import Interval
from devices.models import Seal, SealedBlock
from devices.proving import seal_as_json
from devices.rules import merkle
from devices.rules.leaf import READING_FORMAT
from devices.rules.sealed import MARK, Block, Message, SealPart

LEAF = f"\0{READING_FORMAT}|".encode()
# The readings of a message come together, and its payload once. Planned by the key: some spans of some meters.
ORDER = "meter_id, taken_at, boot, seq, content_hash"
SAID = text(
    f"""
    SELECT batch.seal_id, said.*, raw_message.topic, raw_message.payload
    FROM (
        SELECT batch_id, message_id, reading.received_at, string_agg(concat(
                   meter.code, '|', boot, '|', seq, '|', CAST(extract(epoch FROM taken_at) * 1000000 AS bigint), '|',
                   power_mw, '|', energy_mwh, '|', running, '|', count, '|',
                   CAST(extract(epoch FROM received_at) * 1000000 AS bigint), '|', key_id, '|', backfill
               ), chr(10) ORDER BY {ORDER}) AS rows, string_agg(content_hash, '' ORDER BY {ORDER}) AS contents
        FROM unnest(CAST(:meters AS int[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),
                    CAST(:until AS timestamptz[])) AS wanted (meter, start, finish, until)
        CROSS JOIN LATERAL (
            SELECT * FROM reading
            WHERE meter_id = wanted.meter AND taken_at >= wanted.start AND taken_at <= wanted.finish
              AND received_at <= wanted.until
            OFFSET 0 -- by the index, span by span
        ) AS reading
        JOIN meter ON meter.id = meter_id
        GROUP BY batch_id, message_id, reading.received_at
    ) AS said
    LEFT JOIN reading_batch AS batch ON batch.id = said.batch_id
    LEFT JOIN raw_message ON raw_message.id = said.message_id AND raw_message.received_at = said.received_at
    ORDER BY batch.seal_id, said.batch_id, said.message_id
    """  # noqa: S608
)
STREAMED = {"stream_results": True, "max_row_buffer": 5000}


class Wanted(NamedTuple):
    """The readings of one meter from the first to the last moment of ``when`` that had come by ``until``."""

    meter_id: int
    when: Interval
    until: datetime


def sealed_parts(session: Session, wanted: Sequence[Wanted]) -> Iterator[SealPart]:
    """These readings by seal and block, in the order of their leaves. Memory of the readings of one seal.

    Errors: ``Conflict`` where some are not sealed yet, or are not what was sealed.
    """
    # Enough to sort a hundred thousand readings with their messages.
    session.execute(text("SET LOCAL work_mem = '96MB'"))
    asked = {
        "meters": [one.meter_id for one in wanted],
        "starts": [one.when.start for one in wanted],
        "ends": [one.when.end for one in wanted],
        "until": [one.until for one in wanted],
    }
    seal: _OfSeal | None = None
    with session.execute(SAID, asked, execution_options=STREAMED) as rows:
        for row in rows:
            if row.seal_id is None:
                raise Conflict("还有读数没有封存（每五分钟封存一次），请稍后再试。")
            if seal is None or seal.id != row.seal_id:
                if seal is not None:
                    yield seal.part()
                seal = _OfSeal(session, row.seal_id)
            seal.take(row)
    if seal is not None:
        yield seal.part()


def seals_told(session: Session, ids: Collection[int]) -> Iterator[dict[str, Any]]:
    """Every seal from the first to the last of these, as handed out."""
    if not ids:
        return
    wanted = select(Seal).where(Seal.id.between(min(ids), max(ids))).order_by(Seal.id)
    for seal in session.scalars(wanted.execution_options(yield_per=1000)):
        yield seal_as_json(seal)


class _OfBlock:
    """A block whose readings are still being found."""

    def __init__(self, number: int, packed: bytes) -> None:
        self.number = number
        self._hashes = merkle.split(packed)
        self._place_of = {one: place for place, one in enumerate(self._hashes)}
        self._places: list[int] = []
        self._contents: list[bytes] = []
        self._rows: list[bytes] = []
        self._messages: list[Message] = []

    def take(
        self, topic: str, payload: bytes, rows: Sequence[bytes], contents: Sequence[bytes], leaves: Sequence[bytes]
    ) -> int:
        """Take in the first readings of a message that are in this block. Returns how many."""
        places: list[int] = []
        for leaf in leaves:
            place = self._place_of.get(leaf)
            if place is None:
                break
            places.append(place)
        if count := len(places):
            self._places += places
            self._rows += rows[:count]
            self._contents += contents[:count]
            self._messages.append(Message(topic, payload, count))
        return count

    def block(self) -> Block | None:
        """Nothing where no reading of it is wanted."""
        if not self._places:
            return None
        marks = b"".join([self._hashes[place][:MARK] for place in self._places])
        others = merkle.others_of(self._hashes, self._places)
        return Block(self.number, self._places, marks, b"".join(self._contents), self._rows, self._messages, others)


class _OfSeal:
    """The readings of one seal as they come, put into its blocks."""

    def __init__(self, session: Session, seal_id: int) -> None:
        self.id, self._session = seal_id, session
        self._leaves = session.get_one(Seal, seal_id).leaf_count
        known = session.execute(
            select(SealedBlock.batch_id, SealedBlock.message_id, SealedBlock.root)
            .where(SealedBlock.seal_id == seal_id)
            .order_by(SealedBlock.first_leaf)
        ).all()
        self._firsts = [(one.batch_id, one.message_id) for one in known]
        self._roots = [bytes(one.root) for one in known]
        self._done: list[Block] = []
        self._open: _OfBlock | None = None

    def take(self, row: Row[Any]) -> None:
        """One message. It begins in one block and may end in a later one, where it comes again."""
        topic, payload = row.topic or "", bytes(row.payload or b"")
        digest = "" if row.topic is None else sha256(topic.encode() + b"\0" + payload).hexdigest()
        end = b"|" + digest.encode()
        told = row.rows.encode().split(b"\n")
        size = len(row.contents) // len(told)
        each = (row.contents[at : at + size] for at in range(0, len(row.contents), size))
        content_of = dict(zip(told, each, strict=True))  # the last of one span may be the first of the next
        rows, contents = list(content_of), list(content_of.values())
        leaves = [sha256(LEAF + one + end).digest() for one in rows]
        key, taken = (row.batch_id, row.message_id), 0
        for number in range(max(0, bisect_left(self._firsts, key) - 1), bisect_right(self._firsts, key)):
            block = self._at(number)
            taken += block.take(topic, payload, rows[taken:], contents[taken:], leaves[taken:])
            if taken == len(rows):
                return
        meter, boot, seq = rows[taken].decode().split("|", 3)[:3]
        raise Conflict(
            "表计 %(meter)s 启动 %(boot)s 序号 %(seq)s 的读数与封存时不同。请管理员运行 flask verify seals 查明。",
            meter=meter,
            boot=boot,
            seq=seq,
        )

    def part(self) -> SealPart:
        self._close()
        blocks = [one.number for one in self._done]
        return SealPart(self.id, self._leaves, self._done, merkle.others_of(self._roots, blocks))

    def _at(self, number: int) -> _OfBlock:
        if self._open is None or self._open.number != number:
            self._close()
            packed = self._session.scalar(
                select(SealedBlock.hashes).where(
                    SealedBlock.seal_id == self.id, SealedBlock.first_leaf == number * merkle.BLOCK
                )
            )
            self._open = _OfBlock(number, bytes(packed or b""))
        return self._open

    def _close(self) -> None:
        if self._open is not None and (block := self._open.block()):
            self._done.append(block)


def counts_by(session: Session, wanted: Iterable[tuple[int, Wanted]]) -> dict[int, tuple[int, int]]:
    """By number, how many such readings had come by then, and how many there are now. One query."""
    asked = list(wanted)
    rows = session.execute(
        COUNTS,
        {
            "numbers": [number for number, _ in asked],
            "meters": [one.meter_id for _, one in asked],
            "starts": [one.when.start for _, one in asked],
            "ends": [one.when.end for _, one in asked],
            "until": [one.until for _, one in asked],
        },
    )
    return {row.number: (row.by_then, row.now) for row in rows}


COUNTS = text(
    """
    SELECT wanted.number, counted.by_then, counted.now
    FROM unnest(CAST(:numbers AS bigint[]), CAST(:meters AS int[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[]), CAST(:until AS timestamptz[]))
        AS wanted (number, meter, start, finish, until)
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE received_at <= wanted.until) AS by_then, count(*) AS now FROM reading
        WHERE meter_id = wanted.meter AND taken_at >= wanted.start AND taken_at <= wanted.finish
    ) AS counted
    """
)
