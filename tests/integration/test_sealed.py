from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.kernel.errors import Conflict
from app.kernel.interval import Interval
from devices.models import Seal
from devices.rules import merkle
from devices.sealed import Wanted, sealed_parts
from devices.sealing import seal_readings
from devices.spans import EVER
from tests.integration.dossier_world import FIRST, KEY, MONTH_OVER, STEP, DossierWorld


def proved(session, world: DossierWorld, *whens: Interval):
    return list(sealed_parts(session, [Wanted(world.meter.id, when, EVER) for when in whens]))


def test_readings_lead_to_their_seal_however_their_spans_are_cut(session):
    world = DossierWorld(session)
    world.used(minutes=700, portion=150)
    with pytest.raises(Conflict, match="还有读数没有封存"):
        proved(session, world, Interval(FIRST, FIRST + STEP))
    seal_readings(session, at=MONTH_OVER, key=KEY)
    seal = session.scalars(select(Seal)).one()
    assert seal.leaf_count > merkle.BLOCK
    # From the middle of a message to the middle of another one, in the next block.
    start, middle, end = FIRST + 7 * STEP, FIRST + 100 * STEP, FIRST + timedelta(minutes=699)
    [part] = proved(session, world, Interval(start, end))
    first, second = part.blocks
    assert first.messages[-1].payload == second.messages[0].payload
    assert sum(len(block.rows) for block in part.blocks) == 699 * 6 - 7 + 1
    roots = []
    for block in part.blocks:
        assert sum(one.readings for one in block.messages) == len(block.rows) == len(block.contents) // 16
        size = min(merkle.BLOCK, part.leaves - block.number * merkle.BLOCK)
        [(packed,)] = session.execute(
            text("SELECT hashes FROM sealed_block WHERE first_leaf = :first"), {"first": block.number * merkle.BLOCK}
        )
        leaves = [merkle.split(packed)[place] for place in block.places]
        roots.append(merkle.root_of_some(leaves, block.places, size=size, others=block.others) or b"")
    numbers = [block.number for block in part.blocks]
    assert merkle.root_of_some(roots, numbers, size=2, others=part.others) == seal.root
    # The last reading of one span is the first of the next: it is there once.
    assert proved(session, world, Interval(start, middle), Interval(middle, end)) == [part]


def test_a_reading_that_is_not_what_was_sealed_is_named(session):
    world = DossierWorld(session)
    world.used()
    seal_readings(session, at=MONTH_OVER, key=KEY)
    when = Interval(FIRST, FIRST + timedelta(minutes=20))
    assert proved(session, world, when)
    session.execute(text("SET LOCAL session_replication_role = replica"))  # as who owns the database could
    session.execute(text("UPDATE reading SET power_mw = 999 WHERE seq = 40"))
    with pytest.raises(Conflict) as refused:
        proved(session, world, when)
    assert refused.value.facts["seq"] == "40"
