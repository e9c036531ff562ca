"""A year is weighed, handed in, confirmed, concluded and corrected; what is concluded stays as it was."""

from __future__ import annotations

import random
import threading
import zlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.booking.models import Reservation
from app.booking.rating import rate
from app.booking.rules.service import HandedFile
from app.identity.rules.permission import Role
from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval
from billing.assessing import facts_of
from billing.evaluating import conclude, concluded_years, correct, ranking, results_of, total_said
from billing.evaluation_entries import counts, decide, hand_in, latest_entries
from billing.evaluation_schemes import set_terms, terms_of
from billing.models import Evaluation
from billing.policies.jinzhengban_2025_13_evaluation import INDICATORS
from billing.rules.evaluation import Grade, Head, Term
from tests import makers
from tests.integration.evaluation_world import YEAR, build

AT = datetime(2027, 1, 15, tzinfo=makers.UTC)
PAPER = HandedFile("示例.pdf", "application/pdf", b"%PDF-1.7 sample")
HANDED = {"reason": "示例", "file": PAPER, "at": AT}
USUAL = {one.key: Term(one.weight, one.target) for one in INDICATORS}
SOURCE = {"source": "示例通知〔2026〕1号", "reason": "示例", "at": AT}


@pytest.fixture
def world(session):
    one, other = build(session, random.Random(3))
    office = makers.organization(session)
    official = makers.person(session, (office, Role.OFFICIAL)).id
    return SimpleNamespace(
        ours=one.platform_id, other=other.platform_id, staff=one.by, official=official,
        both=[one.platform_id, other.platform_id],
    )  # fmt: skip


def settle(session, world, value="80"):
    """Hand in and confirm one manual indicator."""
    told = {"value": Decimal(value), "at": AT}
    entry = hand_in(session, world.ours, YEAR, "team", reason="示例", file=PAPER, by=world.staff, **told)
    decide(session, world.ours, YEAR, "team", entry_id=entry.id, reason="", by=world.official, **told)


def concluded(session, world, **given):
    told = {"selected": True, "document": "示例评估1号", "by": world.official, "at": AT, **given}
    return conclude(session, world.ours, YEAR, **told)


def test_a_manual_indicator_counts_once_an_official_has_said_so(session, world):
    def points():
        scored = results_of(session, [world.ours], YEAR)[world.ours].result.scored
        return next(one.score for one in scored if one.indicator.key == "team")

    def say(entry, value, reason=""):
        return decide(
            session, world.ours, YEAR, "team", entry_id=entry and entry.id, value=Decimal(value), reason=reason,
            by=world.official, at=AT,
        )  # fmt: skip

    first = hand_in(session, world.ours, YEAR, "team", value=Decimal(80), **HANDED, by=world.staff)
    assert points() == 0
    assert results_of(session, [world.ours], YEAR)[world.ours].waiting == {"team"}
    with pytest.raises(InvalidInput) as refused:
        say(first, 60, " ")
    assert refused.value.field == "reason"
    word = say(first, 80)
    assert (word.kind, points()) == ("confirmed", 80)
    with pytest.raises(Conflict):
        say(word, 80, "示例")
    word = say(word, "60.5", "示例")
    assert (word.kind, points()) == ("corrected", Decimal("60.5"))
    again = hand_in(session, world.ours, YEAR, "team", value=Decimal(90), **HANDED, by=world.staff)
    assert points() == 0
    assert results_of(session, [world.ours], YEAR)[world.ours].waiting == {"team"}
    say(again, 90)
    assert points() == 90
    with pytest.raises(IntegrityError):
        session.execute(text("UPDATE evaluation_entry SET value = 1"))
    session.rollback()


def test_an_official_decides_only_on_the_entry_that_was_seen_and_never_on_an_own_one(session, world):
    def say(entry_id, by=world.official, value=80, reason="示例"):
        return decide(
            session, world.ours, YEAR, "team", entry_id=entry_id, value=Decimal(value), reason=reason, by=by, at=AT
        )

    seen = hand_in(session, world.ours, YEAR, "team", value=Decimal(80), **HANDED, by=world.staff)
    newer = hand_in(session, world.ours, YEAR, "team", value=Decimal(80), **HANDED, by=world.staff)
    for entry_id in (seen.id, None):
        with pytest.raises(Conflict, match="新的提交"):
            say(entry_id)
    for value in (80, 81):
        with pytest.raises(Conflict, match="自己提交"):
            say(newer.id, by=world.staff, value=value)
    assert say(newer.id).kind == "confirmed"


def test_of_a_new_hand_in_and_a_confirmation_at_once_what_was_not_seen_never_counts(app, session, world):
    told = {"platform_id": world.ours, "year": YEAR, "indicator": "team", "value": Decimal(80), "at": AT}
    given = HANDED | told
    seen = hand_in(session, **given, by=world.staff).id
    session.commit()
    confirm = {"entry_id": seen, "reason": "", "by": world.official, **told}
    gate, done = threading.Barrier(2), {}

    def run(name, work):
        with app.app_context():
            gate.wait()
            try:
                done[name] = in_transaction(work).id
            except Conflict as refusal:
                done[name] = str(refusal)
            finally:
                db.session.remove()

    by = world.staff
    works = {"new": lambda own: hand_in(own, **given, by=by), "word": lambda own: decide(own, **confirm)}
    threads = [threading.Thread(target=run, args=one) for one in works.items()]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    session.expire_all()
    last = latest_entries(session, [world.ours], YEAR)[world.ours, "team"]
    assert (last.id, counts(last)) == (done["new"], False)
    assert "新的提交" in done["word"] if isinstance(done["word"], str) else seen < done["word"] < done["new"]


def test_a_paper_is_called_what_it_is(session, world):
    file = HandedFile("示例\u202efdp.hta\r\n\0", "text/html", PAPER.content)
    entry = hand_in(session, world.ours, YEAR, "team", value=Decimal(80), **HANDED | {"file": file}, by=world.staff)
    assert (entry.file_name, entry.media_type) == ("示例fdp.pdf", "application/pdf")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"indicator": "firms"}, "indicator"),
        ({"value": Decimal(101)}, "value"),
        ({"value": Decimal("NaN")}, "value"),
        ({"value": Decimal("1.005")}, "value"),
        ({"reason": " "}, "reason"),
        ({"file": HandedFile("x.pdf", "application/pdf", b"<html>")}, "file"),
        ({"file": HandedFile("x.pdf", "application/pdf", b"")}, "file"),
        ({"file": HandedFile("x.pdf", "application/pdf", b"%PDF-" + bytes(20 * 1024 * 1024))}, "file"),
    ],
)
def test_what_cannot_be_handed_in_says_what_to_mend(session, world, given, field):
    told = {"indicator": "team", "value": Decimal(80), "reason": "示例", "file": PAPER, **given}
    with pytest.raises(InvalidInput) as refused:
        hand_in(session, world.ours, YEAR, by=world.staff, at=AT, **told)
    assert refused.value.field == field
    assert latest_entries(session, [world.ours], YEAR) == {}


def test_weights_hold_until_later_ones_and_not_after_a_result(session, world):
    assert (terms_of(session, YEAR).terms, terms_of(session, YEAR).scheme) == (USUAL, None)
    otherwise = USUAL | {"firms": Term(Decimal(15), Decimal(30)), "orders": Term(Decimal(0), Decimal(100))}
    set_terms(session, YEAR - 1, otherwise, by=world.official, **SOURCE)
    assert terms_of(session, YEAR).terms == otherwise
    assert not terms_of(session, YEAR).of_this_year
    for wrong in ({"source": " "}, {"reason": ""}):
        with pytest.raises(InvalidInput):
            set_terms(session, YEAR, USUAL, by=world.official, **SOURCE | wrong)
    set_terms(session, YEAR, USUAL, by=world.official, **SOURCE)
    assert terms_of(session, YEAR).terms == USUAL
    settle(session, world)
    concluded(session, world)
    with pytest.raises(Conflict):
        set_terms(session, YEAR, otherwise, by=world.official, **SOURCE)
    set_terms(session, YEAR + 1, otherwise, by=world.official, **SOURCE)


def test_a_year_is_concluded_once_all_is_said_and_stays_as_it_was(session, world):
    def refused(kind, **given):
        with pytest.raises(kind) as found:
            concluded(session, world, **given)
        return found.value

    assert "权重" in refused(Conflict).sentence
    set_terms(session, YEAR, USUAL, by=world.official, **SOURCE)
    told = {"value": Decimal(80), "at": AT}
    seen = hand_in(session, world.ours, YEAR, "team", reason="示例", file=PAPER, by=world.staff, **told)
    assert "等待确认" in refused(Conflict).sentence
    decide(session, world.ours, YEAR, "team", entry_id=seen.id, reason="", by=world.official, **told)
    assert refused(InvalidInput, document=" ").field == "document"
    with pytest.raises(InvalidInput):
        conclude(session, world.ours, 2028, selected=True, document="示例", by=world.official, at=AT)
    before = results_of(session, world.both, YEAR)
    assert total_said(before[world.ours].result) in str(refused(Conflict, seen="0.01"))
    kept = concluded(session, world, seen=total_said(before[world.ours].result))
    assert (kept.score, kept.grade) == (before[world.ours].result.total, before[world.ours].result.grade)
    # What happens afterwards moves the other platform and not this one.
    session.execute(text("UPDATE usage_session SET running_s = 1, ended_at = ended_at - interval '10 minutes',"
                         " during = tstzrange(started_at, ended_at - interval '10 minutes')"))  # fmt: skip
    session.execute(text("UPDATE feedback SET stars = 1"))
    session.expire_all()
    after = results_of(session, world.both, YEAR)
    assert after[world.ours].result == before[world.ours].result
    assert after[world.ours].told == before[world.ours].told
    assert after[world.other].result != before[world.other].result
    assert "只能更正" in refused(Conflict).sentence
    with pytest.raises(Conflict):
        settle(session, world)
    assert [(year, one.total) for year, one in concluded_years(session, world.ours)] == [(YEAR, kept.score)]
    told = facts_of(session, world.ours).evaluations
    assert [(one.year, one.evaluated, one.selected, one.document) for one in told] == [
        (YEAR, True, True, "示例评估1号")
    ]


def test_a_correction_says_what_was_before_and_why_and_nothing_goes_after_a_lock(session, world):
    set_terms(session, YEAR, USUAL, by=world.official, **SOURCE)
    told = {"by": world.official, "at": AT, "recount": False}
    with pytest.raises(NotFound):
        correct(session, world.ours, YEAR, selected=False, document="示例2号", reason="示例", **told)
    score = concluded(session, world).score
    with pytest.raises(Conflict):
        correct(session, world.ours, YEAR, selected=True, document="示例评估1号", reason="示例", **told)
    with pytest.raises(InvalidInput):
        correct(session, world.ours, YEAR, selected=False, document="示例2号", reason="", **told)
    session.execute(text("DELETE FROM feedback"))
    row = correct(session, world.ours, YEAR, selected=False, document="示例2号", reason="示例更正", **told)
    assert (row.selected, row.score, row.corrections[0].before["document"]) == (False, score, "示例评估1号")
    told["recount"] = True
    row = correct(session, world.ours, YEAR, selected=False, document="示例2号", reason="示例重算", **told)
    assert row.score < score
    assert row.corrections[1].before["score"] == str(score)
    _lock_claim(session, world)
    for work in (
        lambda: correct(session, world.ours, YEAR, selected=True, document="示例3号", reason="示例", **told),
        lambda: concluded(session, world),
    ):
        with pytest.raises(Conflict) as refused:
            work()
        assert "锁定" in refused.value.sentence
    assert session.query(Evaluation).filter_by(platform_id=world.ours).one().document == "示例2号"


def test_platforms_are_ranked_by_total_and_then_by_service(session, world):
    results = results_of(session, world.both, YEAR)
    places = ranking(results.values())
    better = max(world.both, key=lambda one: results[one].result.total)
    assert places[better] == 1
    assert ranking(list(results.values())[::-1]) == places
    assert all(results[one].result.heads[Head.SERVICE] > 0 for one in world.both)
    assert all(results[one].result.grade in Grade for one in world.both)


def _lock_claim(session, world):
    session.execute(
        text(
            "INSERT INTO claim (platform_id, policy, year, state, filed_by, filed_at, document, illustrative)"
            " VALUES (:platform, '示例', :year, 'locked', :by, :at, '', true)"
        ),
        {"platform": world.ours, "year": YEAR, "by": world.staff, "at": AT},
    )
    session.execute(
        text(
            "INSERT INTO claim_record (claim_id, locked_on, locked_at, locked_by, scenario, summary, digest)"
            " SELECT id, :on, :at, :by, :scenario, :scenario, '' FROM claim"
        ),
        {"on": date(2027, 1, 10), "at": AT, "by": world.official, "scenario": zlib.compress(b"{}")},
    )


def test_a_firm_rates_a_use_once_and_may_change_its_mind_for_a_week(session):
    equipment, firm, person = makers.equipment(session), makers.organization(session), makers.person(session)
    when = Interval(makers.BEGINNING, makers.BEGINNING + timedelta(hours=2))
    row = Reservation(
        equipment_id=equipment.id, organization_id=firm.id, person_id=person.id, during=when,
        created_at=makers.BEGINNING, changed_at=makers.BEGINNING,
    )  # fmt: skip
    session.add(row)
    session.flush()
    with pytest.raises(Conflict):
        rate(session, row.id, stars=5, words="", used=True, by=person.id, at=when.start)
    first = rate(session, row.id, stars=2, words=" 慢 ", used=True, by=person.id, at=when.end)
    again = rate(session, row.id, stars=4, words="好", used=True, by=person.id, at=when.end + timedelta(days=7))
    assert (first.id, again.stars, again.words) == (again.id, 4, "好")
    late = when.end + timedelta(days=7, minutes=1)
    assert rate(session, row.id, stars=4, words="好", used=True, by=person.id, at=late).stars == 4
    with pytest.raises(Conflict):
        rate(session, row.id, stars=1, words="", used=True, by=person.id, at=late)
