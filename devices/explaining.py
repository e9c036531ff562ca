"""Name the readings of a seal that are not what was sealed.

A hash that was sealed and is not there any more tells nothing by itself. But the messages are kept: what one of them
says is read again, and if that has the hash, it is what was sealed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from devices.hearing import WireMessage, hear
from devices.models import Meter, Seal, SealedBlock
from devices.rules import merkle
from devices.rules.finding import Finding
from devices.rules.leaf import EPOCH, Leaf, leaf_of, message_digest, microseconds
from devices.rules.unlike import Unlike, unlike
from devices.sealing import HASHED, ORDER, STREAMED, Batches

MOST = 100
"""The most stretches of a seal that are looked into: more than a person reads."""
DETAILS = text(f"SELECT * FROM ({HASHED}) AS leaf ORDER BY batch_id, message_id, {ORDER}")  # noqa: S608
MESSAGES = text(
    "SELECT id, topic, payload, received_at FROM raw_message WHERE id BETWEEN :lowest AND :highest"
    " AND received_at BETWEEN :heard_first AND :heard_last ORDER BY id LIMIT 500"
)
MESSAGE_GONE = "电表 %(meter)s 启动 %(boot)s 序号 %(seq)s（%(taken)s）的读数失去了依据：原始报文 #%(message)s 被删除。"
CHANGED = "电表 %(meter)s 启动 %(boot)s 序号 %(seq)s（%(taken)s）与封存时不同：读数或其原始报文 #%(message)s 被改动过。"
COMPARED = ("power_mw", "energy_mwh", "running", "count", "taken_us", "received_us", "key_id", "backfill")


def explain(session: Session, seal: Seal, batches: Batches | None) -> list[Finding]:
    """One finding for each reading that was changed, removed or added since ``seal``, as far as they can be told."""
    stretches: list[Unlike[Row[Any]]] = []
    present = session.execute(DETAILS, batches.bounds, execution_options=STREAMED) if batches else iter(())
    for stretch in unlike(_kept(session, seal), present):
        stretches.append(stretch)
        if len(stretches) == MOST:
            break
    gone = {one for stretch in stretches for one in stretch.sealed}
    was: dict[bytes, Leaf] = {}
    if batches is not None:
        for stretch in stretches:
            said = _said(session, stretch, batches.bounds)
            was |= {number: leaf for number, leaf in said.items() if number in gone}
    return list(_findings(seal, stretches, was))


def _kept(session: Session, seal: Seal) -> Iterator[bytes]:
    numbers = session.scalars(
        select(SealedBlock.first_leaf).where(SealedBlock.seal_id == seal.id).order_by(SealedBlock.first_leaf)
    ).all()
    for number in numbers:
        hashes = session.scalar(
            select(SealedBlock.hashes).where(SealedBlock.seal_id == seal.id, SealedBlock.first_leaf == number)
        )
        yield from merkle.split(hashes or b"")


def _said(session: Session, stretch: Unlike[Row[Any]], bounds: dict[str, Any]) -> dict[bytes, Leaf]:
    """What the messages about this place say, by the hash that it has."""
    numbers = [row.message_id for row in ([stretch.before] if stretch.before else []) + stretch.present]
    if not stretch.sealed:
        return {}
    lowest = min(numbers, default=bounds["lowest"])
    heard = session.execute(MESSAGES, {**bounds, "lowest": lowest, "highest": 2**62}).all()
    codes = dict(session.execute(select(Meter.id, Meter.code)).all())
    found: dict[bytes, Leaf] = {}
    for row in heard:
        message = WireMessage(row.topic, bytes(row.payload), row.received_at)
        with session.begin_nested() as again:  # hearing remembers; this time it must not
            told = hear(session, [message]).told
            again.rollback()
        for one in told:
            sample = one.sample
            leaf = Leaf(
                codes[one.meter_id], sample.boot, sample.seq, microseconds(sample.taken_at), sample.power_mw,
                sample.energy_mwh, sample.running, sample.count, microseconds(row.received_at), one.key_id,
                one.backfill, message_digest(row.topic, message.payload),
            )  # fmt: skip
            found[merkle.leaf_hash(leaf_of(leaf))] = leaf
    return found


def _findings(seal: Seal, stretches: list[Unlike[Row[Any]]], was: dict[bytes, Leaf]) -> Iterator[Finding]:
    originals = {(leaf.meter, leaf.boot, leaf.seq, leaf.seq or leaf.taken_us): leaf for leaf in was.values()}
    for stretch in stretches:
        unnamed = sum(one not in was for one in stretch.sealed)
        for row in stretch.present:
            now = leaf_of_row(row)
            told = {**_identity(now), "message": row.message_id}
            original = originals.pop((now.meter, now.boot, now.seq, now.seq or now.taken_us), None)
            if original is not None:
                yield Finding(
                    seal.id,
                    "电表 %(meter)s 启动 %(boot)s 序号 %(seq)s（%(taken)s）的读数与封存时不同：%(changes)s。",
                    {**_identity(original), "changes": _changes(original, now)},
                )
            elif unnamed:
                unnamed -= 1
                yield Finding(seal.id, MESSAGE_GONE if row.digest is None else CHANGED, told)
            else:
                yield Finding(
                    seal.id, "电表 %(meter)s 启动 %(boot)s 序号 %(seq)s（%(taken)s）的读数是封存后加入的。", told
                )
        if unnamed and stretch.before is not None:
            yield Finding(
                seal.id,
                "在电表 %(meter)s 启动 %(boot)s 序号 %(seq)s（%(taken)s）的读数之后，少了 %(count)s 条封存过的读数。",
                {**_identity(leaf_of_row(stretch.before)), "count": unnamed},
            )
        elif unnamed:
            yield Finding(seal.id, "封存 %(seal)s 开头少了 %(count)s 条封存过的读数。", {"count": unnamed})
    for leaf in originals.values():
        yield Finding(
            seal.id,
            "电表 %(meter)s 启动 %(boot)s 序号 %(seq)s（%(taken)s）的读数被删除："
            "封存时功率 %(power)s mW、电量 %(energy)s mWh。",
            {**_identity(leaf), "power": leaf.power_mw, "energy": leaf.energy_mwh},
        )


def leaf_of_row(row: Row[Any]) -> Leaf:
    """The leaf of one row of ``DETAILS``."""
    return Leaf(
        row.code or "", row.boot, row.seq, microseconds(row.taken_at), row.power_mw, row.energy_mwh, row.running,
        row._mapping["count"], microseconds(row.received_at), row.key_id, row.backfill, row.digest or "",
    )  # fmt: skip


def _identity(leaf: Leaf) -> dict[str, Any]:
    taken = (EPOCH + timedelta(microseconds=leaf.taken_us)).astimezone(UTC)
    return {"meter": leaf.meter, "boot": leaf.boot, "seq": leaf.seq, "taken": _moment(taken)}


def _moment(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def _changes(was: Leaf, now: Leaf) -> str:
    """``power_mw 100000 → 999``, of each field that differs."""
    return ", ".join(
        f"{name} {getattr(was, name)} → {getattr(now, name)}"
        for name in COMPARED
        if getattr(was, name) != getattr(now, name)
    )
