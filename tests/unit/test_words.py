"""Each word of a statement can be said in the reader's language."""

from __future__ import annotations

from app.web.words.billing import UNITS
from billing.rules.line_words import UNIT_WORDS
from billing.rules.service import UNITS as SERVICE_UNITS


def test_every_unit_that_a_statement_may_carry_is_said_in_both_languages():
    units = {*UNIT_WORDS.values(), *(chinese for chinese, _ in SERVICE_UNITS.values())}
    assert {unit for unit in units if not unit.isascii()} == set(UNITS)
