from __future__ import annotations

import hashlib
import io
import json
import threading
import zlib
from dataclasses import replace
from datetime import date

import pytest
from pypdf import PdfReader
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.identity.models import Notice
from app.kernel.audit import AuditEntry
from app.kernel.db import in_transaction
from app.kernel.errors import Conflict, InvalidInput, Refusal
from app.kernel.money import ZERO, Money, total
from billing.answering import answer as answer_policy
from billing.assessing import facts_of, judge_platform
from billing.assets import correct_asset, facts_of_asset
from billing.claims import locking
from billing.claims.adjusting import accept_proposal, adjust, proposals_of
from billing.claims.asking import answer, ask
from billing.claims.budgeting import left_in_budget, set_budget, share_shortfall
from billing.claims.deciding import approve_claim, deduct, withdraw_deduction
from billing.claims.filing import file_claim, return_claim, withdraw_claim
from billing.claims.locking import lock_claim
from billing.claims.printing import claim_pdf
from billing.claims.record import basis_of, basis_one_by_one, facts_file
from billing.claims.settling import BEARERS, pay_out
from billing.claims.statements import claim_view
from billing.models import Claim, ClaimItem
from billing.other_grants import record_other_grant, withdraw_other_grant
from billing.rules.claim import ClaimState
from billing.rules.numerals import capital_numerals
from billing.rules.scenario import scenario_facts
from billing.statements import platform_year
from billing.subsidy_scenarios import FORMAT, simulate
from tests.integration.claim_world import YEAR, ClaimWorld, noon

APPROVED = noon("2027-04-01")
HALVES = [one.key for one in BEARERS]


@pytest.fixture
def world(session) -> ClaimWorld:
    return ClaimWorld(session)


def approved(world: ClaimWorld, claim: Claim) -> Claim:
    return approve_claim(world.session, claim.id, document="示例核〔2027〕1号", by=world.official, at=APPROVED)


def test_on_a_printed_claim_the_seals_stand_beside_the_amounts(session, world):
    world.earned("106000.01", "53000")
    claim = world.locked()
    for number in range(40):
        ask(session, claim.id, f"示例：第 {number} 问", by=world.official, at=noon("2027-03-02"))
    paper = claim_pdf(claim_view(session, claim.id), basis_of(session, claim.platform_id, YEAR).judged())
    first, *others = ("".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(paper)).pages)
    for belongs_together in (
        "¥45,000.00",
        capital_numerals(Money.of("45000")),
        "平台运营主体（盖章）",
        "主管部门（盖章）",
    ):
        assert belongs_together in first
    assert others
    assert not any("盖章" in page for page in others)


def test_a_claim_goes_from_filed_to_paid_and_every_step_is_told(session, world):
    world.earned("106000.01", "53000")
    claim = world.filed()
    (item,) = claim.items
    # 159000.01 with tax is 150000.01 without; 30 % of it is 45000.003, to the fen.
    assert (item.programme, str(item.filed_fen), claim.state) == ("P2", "45000.00", ClaimState.FILED)
    lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))
    assert claim.record is not None
    assert claim.record.locked_on == date(2027, 3, 1)
    made = deduct(session, item.id, Money.of("0.01"), reason="示例：一行重复", by=world.official, at=APPROVED)
    deduct(session, item.id, Money.of("999.98"), reason="示例：证据不全", by=world.official, at=APPROVED)
    withdraw_deduction(session, made.id, by=world.official, at=APPROVED)
    approved(world, claim)
    # 44000.02 halved: no odd fen here; the odd fen of 44000.01 would be Jinjiang's.
    assert [str(one) for one in (item.approved_fen, item.upper_fen, item.own_fen)] == [
        "44000.02",
        "22000.01",
        "22000.01",
    ]
    for bearer in HALVES:
        assert claim.state is ClaimState.APPROVED
        pay_out(
            session,
            claim.id,
            bearer,
            Money.of("22000.01"),
            paid_on=date(2027, 5, 1),
            document="示例凭证",
            by=world.official,
            at=noon("2027-05-02"),
        )
    assert claim.state is ClaimState.PAID
    deeds = session.scalars(select(AuditEntry.deed).where(AuditEntry.subject == "claim").order_by(AuditEntry.id)).all()
    assert deeds == [
        "claim_filed", "claim_locked", "claim_deducted", "claim_deducted", "claim_deduction_withdrawn",
        "claim_approved", "claim_paid", "claim_paid",
    ]  # fmt: skip
    told = session.scalars(select(Notice.person_id).where(Notice.path == f"/claims/{claim.id}")).all()
    assert sorted(told) == sorted([world.official, world.by, world.by])  # filed; locked, approved


def test_what_happens_after_the_lock_changes_nothing_that_is_locked(session, world):
    invoice = world.earned("1060000")
    claim = world.locked()
    before = basis_of(session, world.platform.id, YEAR)
    world.credited(invoice, "106000", at=noon("2027-03-15"))
    answer_policy(session, "A03_revenue_tax", "gross", reason="示例复函", by=world.official, at=noon("2027-03-16"))
    after = basis_of(session, world.platform.id, YEAR)
    assert after.judged() == before.judged()
    assert after.scenario() == before.scenario()
    assert str(platform_year(session, world.platform.id, YEAR).revenue.base) == "1000000.00"
    assert platform_year(session, world.platform.id, YEAR).basis.locked_on == date(2027, 3, 1)
    approved(world, claim)
    assert str(claim_view(session, claim.id).approved) == "300000.00"
    # With the three years still open, the note lowers the year of its issue; nothing is claimed back (A26).
    assert proposals_of(session, claim) == {}
    _, today = judge_platform(session, world.platform.id)
    assert {one.year: str(one.own) for one in today.revenue_years}[2027] == "-106000.00"


def test_the_kept_facts_are_a_file_that_simulates_to_the_same(session, world):
    world.earned("1060000")
    claim = world.locked()
    basis = basis_of(session, world.platform.id, YEAR)
    assert scenario_facts(basis.scenario()) == basis.facts
    # The code of a test's platform is random; any word will do as a name.
    (checked,) = FORMAT.checked({"format": 1, "scenarios": [{**basis.scenario(), "id": "C-a-2026"}]})
    (result,) = simulate([checked])["results"]
    (grant,) = [one for one in result["grants"] if one["year"] == YEAR]
    assert (grant["payable"], grant["quanzhou"], grant["jinjiang"]) == ("300000.00", "150000.00", "150000.00")
    # The digest on the claim is that of the file that is handed on.
    assert claim.record is not None
    assert claim.record.digest == hashlib.sha256(facts_file(session, claim)).hexdigest()


def one_by_one(session, world) -> dict[str, object]:
    """What can be read document by document, put together again."""
    basis = basis_one_by_one(session, world.platform.id, YEAR)
    assert "invoices" not in basis.scenario
    return {**basis.scenario, "invoices": list(basis.invoices)}


def test_the_facts_can_be_read_document_by_document(session, world):
    world.credited(world.earned("1060000"), "1060", at=noon("2026-07-01"))
    world.earned("2120", "3180")
    today = one_by_one(session, world)
    assert today == basis_of(session, world.platform.id, YEAR, lines=True).scenario()
    code = world.platform.code.upper()
    numbers = [f"{code}-2026-{number:06d}" for number in (1, 2, 3)]  # the note behind its invoice
    assert [one["no"] for one in today["invoices"]] == numbers
    world.locked()
    assert one_by_one(session, world) == basis_of(session, world.platform.id, YEAR, lines=True).scenario()


def test_facts_that_were_kept_in_one_piece_are_read_sale_by_sale_too(session, world, monkeypatch):
    def in_one_piece(scenario):
        """As earlier versions kept it; the credit note before its invoice."""
        told = {**scenario, "invoices": scenario["invoices"][::-1]}
        return zlib.compress(json.dumps({"format": 1, "scenarios": [told]}).encode()), "digest"

    world.credited(world.earned("1060000"), "1060", at=noon("2026-07-01"))
    world.earned("2120")
    monkeypatch.setattr(locking, "packed", in_one_piece)
    world.locked()
    kept = basis_of(session, world.platform.id, YEAR, lines=True).scenario()
    third, second, first = kept["invoices"]
    assert second["credit_note_of"] == first["no"]
    assert one_by_one(session, world) == {**kept, "invoices": [third, first, second]}


def test_nothing_is_locked_without_a_certification_and_a_selection(session):
    world = ClaimWorld(session, certified=False, selected=False)
    world.earned("1060000")
    claim = world.filed()
    assert str(claim_view(session, claim.id).filed) == "300000.00"
    with pytest.raises(Conflict, match="无认定文件"):
        lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))
    world.certify()
    with pytest.raises(Conflict, match="无运营绩效评估记录"):
        lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))
    world.select()
    lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))
    assert str(claim_view(session, claim.id).locked) == "300000.00"


def test_a_year_is_claimed_when_it_is_over_and_once(session, world):
    with pytest.raises(Conflict, match="没有可申报"):
        world.filed()
    world.earned("1060000")
    with pytest.raises(Conflict, match="尚未结束"):
        world.filed(at=noon("2026-12-31"))
    claim = world.filed()
    with pytest.raises(Conflict):
        world.filed()
    with pytest.raises(InvalidInput):
        return_claim(session, claim.id, reason=" ", by=world.official, at=noon("2027-02-02"))
    return_claim(session, claim.id, reason="示例：缺合同", by=world.official, at=noon("2027-02-02"))
    with pytest.raises(Conflict):
        lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))
    again = world.filed(at=noon("2027-02-03"))
    assert (again.id, again.state) == (claim.id, ClaimState.FILED)
    withdraw_claim(session, claim.id, reason="示例", by=world.by, at=noon("2027-02-04"))
    world.locked()
    for undo in (return_claim, withdraw_claim):
        with pytest.raises(Conflict):
            undo(session, claim.id, reason="示例", by=world.by, at=noon("2027-03-02"))


def test_a_year_that_is_claimed_already_leads_to_its_claim(app, session, world):
    world.earned("1060000")
    claim = world.filed()
    session.commit()
    client = app.test_client()
    with client.session_transaction() as told:
        told["_user_id"], told["_fresh"] = str(world.finance.id), True
    here = f"/claims/new?platform_id={world.platform.id}&year={YEAR}"
    assert f'href="/claims/{claim.id}"' in client.get(here).text
    withdraw_claim(session, claim.id, reason="示例", by=world.by, at=noon("2027-02-02"))
    session.commit()
    assert f'href="/claims/{claim.id}"' not in client.get(here).text


def test_an_invoice_that_is_not_counted_yet_keeps_the_year_open(session, world):
    world.earned("1060000")
    claim = world.filed()
    world.issued("1000")
    with pytest.raises(Conflict, match="1 张结算单没有计入收入"):
        lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))


def test_a_question_keeps_the_decision_waiting(session, world):
    world.earned("1060000")
    claim = world.locked()
    asked = ask(session, claim.id, "示例：这家企业是关联方吗？", by=world.official, at=noon("2027-03-02"))
    with pytest.raises(Conflict, match="没有答复"):
        approved(world, claim)
    answer(session, asked.id, "示例：不是。", by=world.by, at=noon("2027-03-03"))
    with pytest.raises(Conflict, match="已经答复"):
        answer(session, asked.id, "示例：再答。", by=world.by, at=noon("2027-03-03"))
    with pytest.raises(InvalidInput, match="文号"):
        approve_claim(session, claim.id, document="", by=world.official, at=APPROVED)
    approved(world, claim)
    with pytest.raises(Conflict):
        ask(session, claim.id, "示例：还有吗？", by=world.official, at=APPROVED)


def test_deductions_and_payments_have_their_bounds(session, world):
    world.earned("106000")
    claim = world.locked()
    (item,) = claim.items
    with pytest.raises(Conflict, match="不能超过"):
        deduct(session, item.id, Money.of("30000.01"), reason="示例", by=world.official, at=APPROVED)
    with pytest.raises(InvalidInput):
        deduct(session, item.id, ZERO, reason="示例", by=world.official, at=APPROVED)

    def pay(amount: str, on: str = "2027-05-01", bearer: str = HALVES[0], document: str = "示例凭证") -> None:
        pay_out(session, claim.id, bearer, Money.of(amount), paid_on=date.fromisoformat(on), document=document,
                by=world.official, at=noon("2027-05-02"))  # fmt: skip

    with pytest.raises(Conflict, match="核定之后"):
        pay("1")
    approved(world, claim)
    with pytest.raises(Conflict):
        deduct(session, item.id, Money.of("1"), reason="示例", by=world.official, at=APPROVED)
    for wrong in (
        {"amount": "15000.01"}, {"amount": "-1"}, {"amount": "0"}, {"amount": "1", "bearer": "福州"},
        {"amount": "1", "on": "2027-03-31"}, {"amount": "1", "on": "2027-05-03"}, {"amount": "1", "document": " "},
    ):  # fmt: skip
        with pytest.raises(Refusal):
            pay(**wrong)
    pay("15000")
    pay("-5000", document="示例：录错")
    assert (str(claim_view(session, claim.id).paid), claim.state) == ("10000.00", ClaimState.APPROVED)


def test_a_late_credit_note_outside_the_window_proposes_a_claim_back_and_only_once(session, world):
    invoice = world.earned("1060000")
    claim = world.locked()
    approved(world, claim)
    (item,) = claim.items
    # The three years are 2026 to 2028; a note of 2029 finds no year to lower.
    world.credited(invoice, "106000", at=noon("2029-02-01"))
    assert proposals_of(session, claim) == {"P2": Money.of("30000")}
    with pytest.raises(Conflict, match="已经变化"):
        accept_proposal(
            session,
            item.id,
            Money.of("29999"),
            reason="示例",
            document="示例号",
            by=world.official,
            at=noon("2029-03-01"),
        )
    made = accept_proposal(
        session, item.id, Money.of("30000"), reason="示例：红字", document="示例追〔2029〕1号", by=world.official,
        at=noon("2029-03-01"),
    )  # fmt: skip
    assert [str(one) for one in (made.amount_fen, made.upper_fen, made.own_fen)] == [
        "-30000.00",
        "-15000.00",
        "-15000.00",
    ]
    assert claim.state is ClaimState.ADJUSTED
    assert proposals_of(session, claim) == {}
    assert str(claim_view(session, claim.id).granted) == "270000.00"
    # What is taken back does not free the cap for a later year.
    (decision,) = [one for one in facts_of(session, world.platform.id).decisions if one.amount]
    assert str(decision.amount) == "300000.00"


def test_an_adjustment_by_hand_stays_between_nothing_and_the_lock(session, world):
    world.earned("106000")
    claim = world.locked()
    (item,) = claim.items
    deduct(session, item.id, Money.of("1000"), reason="示例", by=world.official, at=APPROVED)
    with pytest.raises(Conflict, match="核定之后"):
        adjust(session, item.id, Money.of("-1"), reason="示例", document="示例号", by=world.official, at=APPROVED)
    approved(world, claim)
    told = {"reason": "示例", "document": "示例号", "by": world.official, "at": noon("2027-06-01")}
    for amount in ("1000.01", "-29000.01", "0"):
        with pytest.raises(Refusal):
            adjust(session, item.id, Money.of(amount), **told)
    adjust(session, item.id, Money.of("999.99"), **told)
    adjust(session, item.id, Money.of("-0.02"), **told)
    view = claim_view(session, claim.id)
    assert str(view.granted) == "29999.97"
    assert total([one.due for one in view.borne]) == view.granted
    assert [str(one.due) for one in view.borne] == ["14999.98", "14999.99"]


def test_what_was_decided_uses_up_the_cap_whatever_is_calculated_again(session, world):
    world.earned("10600000")
    claim = world.locked()
    (item,) = claim.items
    assert str(item.locked_fen) == "3000000.00"
    deduct(session, item.id, Money.of("500000"), reason="示例", by=world.official, at=APPROVED)
    approved(world, claim)
    world.select(2027)
    world.earned("5300000", at=noon("2027-05-01"))
    grants = {one.year: one for one in judge_platform(session, world.platform.id)[1].grants if one.programme == "P2"}
    assert str(grants[2027].payable.amount) == "500000.00"


def test_a_short_budget_is_shared_in_proportion_to_the_fen(session, world):
    world.earned("106000")
    first = world.locked()
    other = ClaimWorld(session, second=True)
    other.earned("212000.05")
    second = other.locked()
    asked = {"by": world.official, "at": APPROVED}
    with pytest.raises(Conflict, match="没有登记预算"):
        share_shortfall(session, YEAR, **asked)
    set_budget(session, YEAR, Money.of("60000.01"), document="示例预〔2027〕1号", **asked)
    approve_claim(session, first.id, document="示例号", **asked)
    with pytest.raises(Conflict, match=r"只余 ¥30,000\.01"):
        approve_claim(session, second.id, document="示例号", **asked)


def test_the_shares_of_a_short_budget_can_be_taken_again_and_then_fit(session, world):
    world.earned("106000")
    other = ClaimWorld(session, second=True)
    other.earned("212000.05")
    claims = [world.locked(), other.locked()]
    asked = {"by": world.official, "at": APPROVED}
    set_budget(session, YEAR, Money.of("100000"), document="示例预〔2027〕1号", **asked)
    with pytest.raises(Conflict, match="预算够用"):
        share_shortfall(session, YEAR, **asked)
    for amount in ("80000", "60000.01"):
        set_budget(session, YEAR, Money.of(amount), document="示例预〔2027〕2号", **asked)
        share_shortfall(session, YEAR, **asked)
        left = [claim_view(session, one.id) for one in claims]
        assert str(total([one.locked - one.deducted for one in left])) == amount + ("" if "." in amount else ".00")
    for one in claims:
        approve_claim(session, one.id, document="示例核〔2027〕1号", **asked)
    # 30000 and 60000.01 of 90000.01, cut to 60000.01 in all: a third each.
    assert [str(claim_view(session, one.id).approved) for one in claims] == ["20000.00", "40000.01"]
    assert left_in_budget(session, YEAR) == ZERO


def test_a_programme_that_waits_for_its_selection_is_not_locked_at_nothing(session):
    world = ClaimWorld(session, selected=False)
    world.earned("1060000")
    world.bought("E-1", "1000000", date(2026, 5, 1))
    claim = world.filed()
    assert {one.programme: str(one.filed_fen) for one in claim.items} == {"P1": "300000.00", "P2": "300000.00"}
    with pytest.raises(Conflict, match="P2 还不能支付：无运营绩效评估记录"):
        lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))
    world.select()
    lock_claim(session, claim.id, by=world.official, at=noon("2027-03-01"))
    assert str(claim_view(session, claim.id).locked) == "600000.00"


def test_an_earlier_year_is_not_locked_after_a_later_one(session, world):
    world.bought("E-1", "1000000", date(2026, 5, 1))
    world.bought("E-2", "1000000", date(2027, 5, 1))
    first = world.filed()
    later = file_claim(session, world.platform.id, 2027, by=world.by, at=noon("2028-02-01"))
    lock_claim(session, later.id, by=world.official, at=noon("2028-03-01"))
    with pytest.raises(Conflict, match="2027 年的申报已经锁定"):
        lock_claim(session, first.id, by=world.official, at=noon("2028-03-02"))


def test_what_was_judged_in_a_locked_year_does_not_move_to_another(session, world):
    bought = world.bought("E-1", "1000000", date(2026, 5, 1))
    claim = world.locked()
    row = facts_of_asset(bought)
    for moved in ({"accepted_on": date(2027, 5, 1)}, {"paid_on": date(2027, 5, 1)}, {"kind": "facility"}):
        with pytest.raises(Conflict, match="2026 年的申报已锁定"):
            correct_asset(session, bought.id, replace(row, **moved), reason="示例", by=world.by, at=APPROVED)
    # The amount can be put right: what was granted too much is then proposed to be taken back.
    correct_asset(session, bought.id, replace(row, cost=Money.of("900000")), reason="示例", by=world.by, at=APPROVED)
    approved(world, claim)
    assert proposals_of(session, claim) == {"P1": Money.of("30000")}


def test_what_was_not_claimed_in_a_locked_year_is_granted_no_more(session, world):
    world.earned("1060000")
    world.locked()
    world.bought("E-9", "1000000", date(2026, 6, 1))
    decisions = {(one.year, one.programme): str(one.amount) for one in facts_of(session, world.platform.id).decisions}
    assert decisions == {
        (2026, "P1"): "0.00", (2026, "P2"): "300000.00", (2026, "P3"): "0.00", (2026, "P4"): "0.00",
    }  # fmt: skip


def test_a_mistaken_adjustment_that_is_put_right_uses_up_the_cap_once(session, world):
    world.earned("1060000")
    claim = world.locked()
    approved(world, claim)
    for amount in ("-300000", "300000"):
        adjust(
            session, claim.items[0].id, Money.of(amount), reason="示例", document="示例号", by=world.official,
            at=noon("2027-06-01"),
        )  # fmt: skip
    (decision,) = [one for one in facts_of(session, world.platform.id).decisions if one.amount]
    assert str(decision.amount) == "300000.00"


def test_two_approvals_at_once_do_not_overrun_the_budget(app, session, world):
    world.earned("106000")
    other = ClaimWorld(session, second=True)
    other.earned("106000")
    claims, official = [world.locked().id, other.locked().id], world.official
    set_budget(session, YEAR, Money.of("50000"), document="示例预〔2027〕1号", by=official, at=APPROVED)
    session.commit()
    start, results = threading.Barrier(2), []

    def decide(claim_id: int) -> None:
        with app.app_context():
            start.wait()
            try:
                in_transaction(lambda s: approve_claim(s, claim_id, document="示例号", by=official, at=APPROVED))
                results.append("done")
            except Conflict:
                results.append("refused")

    threads = [threading.Thread(target=decide, args=(one,)) for one in claims]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(results) == ["done", "refused"]


def test_a_budget_that_was_raised_takes_its_shares_back(session, world):
    world.earned("106000")
    claim = world.locked()
    told = {"by": world.official, "at": APPROVED}
    set_budget(session, YEAR, Money.of("10000"), document="示例预〔2027〕1号", **told)
    share_shortfall(session, YEAR, **told)
    set_budget(session, YEAR, Money.of("30000"), document="示例预〔2027〕2号", **told)
    assert share_shortfall(session, YEAR, **told) == []
    assert str(approved(world, claim).items[0].approved_fen) == "30000.00"


def test_grants_from_above_for_purchases_name_them(session, world):
    world.bought("E-1", "1000000", date(2026, 5, 1))
    told = {
        "authority_level": "provincial", "programme_kind": "equipment", "year": 2026, "amount": Money.of("100000"),
        "document": "示例上级〔2026〕1号", "by": world.by, "at": noon("2027-01-10"),
    }  # fmt: skip
    for wrong in (
        {"timing": "ex_ante", "asset_nos": ["E-1"]}, {"timing": "ex_post", "asset_nos": []},
        {"timing": "ex_post", "asset_nos": ["E-7"]}, {"timing": "ex_post", "asset_nos": ["E-1"], "amount": ZERO},
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            record_other_grant(session, world.platform.id, **{**told, **wrong})
    made = record_other_grant(session, world.platform.id, **told, timing="ex_post", asset_nos=["E-1"])
    assert str(world.filed().items[0].filed_fen) == "200000.00"
    withdraw_other_grant(session, made.id, reason="示例", by=world.by, at=noon("2027-01-11"))
    assert facts_of(session, world.platform.id).other_grants == ()


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE claim_item SET locked_fen = locked_fen + 1",
        "UPDATE claim_item SET approved_fen = approved_fen - 1, own_fen = own_fen - 1",
        "DELETE FROM claim_item",
        "UPDATE claim_record SET locked_on = locked_on + 1",
        "UPDATE claim_deduction SET amount_fen = 1",
        "DELETE FROM claim_deduction",
        "INSERT INTO claim_deduction (claim_item_id, amount_fen, reason, made_by, made_at)"
        " SELECT id, 1, '示例', (SELECT min(id) FROM person), now() FROM claim_item",
    ],
)
def test_the_database_keeps_what_was_locked_and_decided(session, world, deed):
    world.earned("106000")
    claim = world.locked()
    deduct(session, claim.items[0].id, Money.of("10"), reason="示例", by=world.official, at=APPROVED)
    approved(world, claim)
    with pytest.raises(DBAPIError):
        session.execute(text(deed))


def test_of_many_who_decide_at_once_one_does(app, session, world):
    world.earned("106000")
    claim_id = world.locked().id
    item_id, official = session.scalars(select(ClaimItem.id)).one(), world.official
    session.commit()
    start, results = threading.Barrier(8), []

    def decide(place: int) -> None:
        with app.app_context():
            start.wait()
            try:
                if place % 2:
                    in_transaction(
                        lambda s: deduct(s, item_id, Money.of("20000"), reason="示例", by=official, at=APPROVED)
                    )
                else:
                    in_transaction(lambda s: approve_claim(s, claim_id, document="示例号", by=official, at=APPROVED))
                results.append("done")
            except Conflict:
                results.append("refused")

    threads = [threading.Thread(target=decide, args=(place,)) for place in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    session.expire_all()
    view = claim_view(session, claim_id)
    assert view.claim.state is ClaimState.APPROVED
    # One approval; before it at most one deduction of 20,000 fitted into 30,000.
    assert results.count("done") in (1, 2)
    assert str(view.approved) == ("30000.00" if results.count("done") == 1 else "10000.00")
