"""Each word of a statement can be said in the reader's language."""

from __future__ import annotations

from app.catalogue.annex import annex_rows
from app.identity.rules.permission import Permission
from app.web.words.billing import POLICY_UNITS, UNITS
from app.web.words.catalogue import FIELDS
from app.web.words.permissions import WORDS as PERMISSION_WORDS
from billing.policies import POLICIES
from billing.rules.line_words import UNIT_WORDS
from billing.rules.service import UNITS as SERVICE_UNITS


def test_every_unit_that_a_statement_may_carry_is_said_in_both_languages():
    units = {*UNIT_WORDS.values(), *(chinese for chinese, _ in SERVICE_UNITS.values())}
    assert {unit for unit in units if not unit.isascii()} == set(UNITS)


def test_every_unit_of_a_policys_numbers_is_said():
    assert {value.unit for policy in POLICIES for value in policy.values} == set(POLICY_UNITS)


def test_every_permission_is_said():
    assert [permission for permission, _ in PERMISSION_WORDS] == list(Permission)


def test_every_field_of_the_annexes_is_said():
    assert {row.field for row in annex_rows()} == set(FIELDS)
