from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.kernel.errors import Conflict
from app.kernel.money import ZERO, Money, total
from billing.correcting import credit
from billing.invoicing import issue_month
from billing.models import Invoice, SharingProposal
from billing.recognizing import recognize_revenue
from billing.rules.sharing import Part, ProposalState
from billing.sharing import agree, confirm_shares, end_agreement, propose_shares
from tests import makers
from tests.integration.close_world import CloseWorld

JUNE = date(2026, 6, 1)
AT = datetime(2026, 7, 3, 1, tzinfo=UTC)


class Joint(CloseWorld):
    def __init__(self, session) -> None:
        super().__init__(session, firms=3, at=AT)
        self.parties = [makers.organization(session).id for _ in range(3)]
        self.add(session, 9, month=JUNE)

    def agree(self, session, first_day=date(2026, 1, 1), percents=("33.34", "33.33", "33.33"), day_after=None):
        parts = [
            Part(party, Decimal(percent), number == 0)
            for number, (party, percent) in enumerate(zip(self.parties, percents, strict=True))
        ]
        return agree(
            session, platform_id=self.platform, title="示例共建协议", document_no="示例共建〔2026〕1号",
            first_day=first_day, day_after=day_after, parts=parts, by=self.finance, at=AT,
        )  # fmt: skip

    def issue(self, session, firm: int, at=AT) -> Invoice:
        told = {"platform_id": self.platform, "organization_id": self.firms[firm], "month": JUNE, "by": self.finance}
        invoice = issue_month(session, at=at, **told)
        recognize_revenue(session, at=at)
        return invoice


@pytest.fixture
def joint(session) -> Joint:
    return Joint(session)


def proposals(session) -> list[SharingProposal]:
    return list(session.scalars(select(SharingProposal).order_by(SharingProposal.month, SharingProposal.sequence)))


def test_a_months_net_revenue_is_shared_exactly_and_again_until_it_is_confirmed(session, joint):
    joint.agree(session)
    first = joint.issue(session, 0)
    assert propose_shares(session, at=AT) == 1
    assert propose_shares(session, at=AT) == 0
    second = joint.issue(session, 1)
    assert propose_shares(session, at=AT) == 1
    (proposal,) = proposals(session)
    assert proposal.month == date(2026, 7, 1)  # by date of invoice
    assert proposal.base_fen == first.net_fen + second.net_fen
    assert total([line.amount_fen for line in proposal.lines]) == proposal.base_fen
    with pytest.raises(Conflict, match="重新计算"):
        confirm_shares(session, proposal.id, seen=first.net_fen, by=joint.finance, at=AT)
    confirm_shares(session, proposal.id, seen=proposal.base_fen, by=joint.finance, at=AT)
    with pytest.raises(Conflict, match="已经确认"):
        confirm_shares(session, proposal.id, seen=proposal.base_fen, by=joint.finance, at=AT)


def test_what_changes_after_a_confirmation_is_a_proposal_of_the_difference(session, joint):
    joint.agree(session)
    invoice = joint.issue(session, 0)
    propose_shares(session, at=AT)
    (proposal,) = proposals(session)
    confirm_shares(session, proposal.id, seen=proposal.base_fen, by=joint.finance, at=AT)
    note = credit(
        session,
        invoice.id,
        amounts={invoice.lines[0].id: Money.of("33.33")},
        reason="示例更正",
        by=joint.finance,
        at=AT,
    )
    recognize_revenue(session, at=AT)
    assert propose_shares(session, at=AT) == 1
    before, difference = proposals(session)
    assert (difference.sequence, difference.base_fen, difference.state) == (1, note.net_fen, ProposalState.PROPOSED)
    assert total([line.amount_fen for line in difference.lines]) == note.net_fen
    whole = [a.amount_fen + b.amount_fen for a, b in zip(before.lines, difference.lines, strict=True)]
    left = invoice.net_fen + note.net_fen
    assert [whole[1], whole[2]] == [left.times(Decimal("0.3333"), mode="truncate")] * 2
    joint.issue(session, 1)
    propose_shares(session, at=AT)
    assert len(proposals(session)) == 2
    session.commit()
    for change in (
        "UPDATE sharing_proposal SET base_fen = 1 WHERE state = 'confirmed'",
        "UPDATE sharing_line SET amount_fen = 1 WHERE proposal_id = (SELECT min(id) FROM sharing_proposal)",
    ):
        with pytest.raises(DBAPIError, match="confirmed"):
            session.execute(text(change))
        session.rollback()


def test_agreements_of_a_platform_follow_each_other_and_share_only_their_days(session, joint):
    agreement = joint.agree(session)
    joint.issue(session, 0)
    with pytest.raises(Conflict, match="先结束原协议"):
        joint.agree(session, first_day=date(2026, 7, 10))
    end_agreement(session, agreement.id, day_after=date(2026, 7, 10), by=joint.finance, at=AT)
    joint.agree(session, first_day=date(2026, 7, 10), percents=("50", "25", "25"))
    later = joint.issue(session, 1, at=AT + timedelta(days=10))
    propose_shares(session, at=AT)
    one, other = proposals(session)
    assert {one.month, other.month} == {date(2026, 7, 1)}
    assert other.base_fen == later.net_fen
    assert one.base_fen != ZERO
