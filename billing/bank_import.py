"""Bank statements: look at a file, take each line in once, and use each line for what it was paid for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity.models import Organization
from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money, total
from billing.ageing import open_invoices
from billing.deposits import top_up
from billing.models import BankLine, BankStatement, DepositAccount, Invoice
from billing.payers import shares_of
from billing.paying import amount_due, record_payment
from billing.rules.bank_matching import Line, Matcher, Suggestion, certain_ones
from billing.rules.bank_statement import BankSum, read_statement
from billing.rules.money_words import BankLineState


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would do. ``known`` are lines that an earlier import took in."""

    statement: BankStatement
    new: Sequence[BankSum]
    known: int
    outgoing: int

    @property
    def amount(self) -> Money:
        return Money(sum(one.amount.fen for one in self.new))


def upload(
    session: Session, *, platform_id: int, file_name: str, content: bytes, by: int, at: datetime
) -> BankStatement:
    """Keep a file that can be read, to be looked at before it is imported. The same file twice is one.

    Errors: ``InvalidInput`` that names row, column and remedy; nothing is kept then.
    """
    if not content:
        raise InvalidInput("请选择银行导出的 CSV 文件。", field="file")
    to_come = next((one for one in read_statement(content).sums if one.booked_on > local_date(at)), None)
    if to_come is not None:
        raise InvalidInput(
            "第 %(row)s 行的日期 %(day)s 还没有到，文件没有导入。请核对日期后重新上传。",
            field="file",
            row=to_come.row,
            day=to_come.booked_on.isoformat(),
        )
    digest = hashlib.sha256(content).hexdigest()
    session.execute(
        insert(BankStatement)
        .values(
            platform_id=platform_id, file_name=file_name[:300], digest=digest, content=content,
            uploaded_by=by, uploaded_at=at,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    return session.scalars(
        select(BankStatement).where(BankStatement.platform_id == platform_id, BankStatement.digest == digest)
    ).one()


def preview(session: Session, statement_id: int) -> Preview:
    """What importing the file would add now. Errors: ``NotFound``."""
    statement = _statement(session, statement_id)
    read = read_statement(statement.content)
    keys = [one.key for one in read.sums]
    known = set(
        session.scalars(
            select(BankLine.key).where(BankLine.platform_id == statement.platform_id, BankLine.key.in_(keys))
        )
    )
    new = [one for one in read.sums if one.key not in known]
    return Preview(statement, new, len(read.sums) - len(new), read.outgoing)


def import_statement(session: Session, statement_id: int, *, by: int, at: datetime) -> int:
    """Take in the lines that are new; returns how many. Again, or two at once, it adds nothing twice."""
    statement = _statement(session, statement_id)
    rows = [
        {
            "platform_id": statement.platform_id,
            "statement_id": statement.id,
            "key": one.key,
            "booked_on": one.booked_on,
            "amount_fen": one.amount,
            "payer_name": one.payer_name,
            "payer_account": one.payer_account,
            "remark": one.remark,
            "reference": one.reference,
            "state": BankLineState.OPEN,
            "reason": "",
        }
        for one in read_statement(statement.content).sums
    ]
    added = 0
    if rows:
        made = insert(BankLine).on_conflict_do_nothing(index_elements=["platform_id", "key"])
        added = len(session.scalars(made.returning(BankLine.id), rows).all())
    statement.imported_at = statement.imported_at or at
    session.flush()
    audit.record(session, at=at, by=by, deed="imported", subject="bank_statement", subject_id=statement.id, lines=added)
    return added


def matcher_of(session: Session, platform_id: int) -> Matcher:
    """Everything that lines of this platform may be meant for, read once."""
    firms = session.execute(
        select(Organization.id, Organization.name)
        .join(DepositAccount, DepositAccount.organization_id == Organization.id)
        .where(DepositAccount.platform_id == platform_id)
    )
    return Matcher(open_invoices(session, platform_ids=[platform_id]), {row.id: row.name for row in firms})


def suggested(matcher: Matcher, lines: Sequence[BankLine]) -> dict[int, list[Suggestion]]:
    """Up to three suggestions for each line, best first."""
    return {line.id: matcher.suggestions(_as_line(line)) for line in lines}


def all_certain(session: Session, platform_id: int, matcher: Matcher | None = None) -> dict[int, Suggestion]:
    """What :func:`confirm_all` would confirm now, by line."""
    lines = session.scalars(
        select(BankLine)
        .where(BankLine.platform_id == platform_id, BankLine.state == BankLineState.OPEN)
        .order_by(BankLine.booked_on, BankLine.id)
    ).all()
    matcher = matcher or matcher_of(session, platform_id)
    hopeful = [line for line in map(_as_line, lines) if matcher.may_be_certain(line)]
    return certain_ones(hopeful, {line.line_id: matcher.suggestions(line) for line in hopeful})


def confirm_all(session: Session, platform_id: int, *, count: int, amount: Money, by: int, at: datetime) -> int:
    """Use every certain line, where they still are as many and as much as the person was shown; returns how many.

    Errors: ``Conflict`` when they changed meanwhile.
    """
    certain = all_certain(session, platform_id)
    if (len(certain), worth(certain)) != (count, amount):
        raise Conflict("可以确认的流水刚有变化，请核对新的笔数和金额后再确认。")
    for line_id, one in certain.items():
        confirm(session, line_id, invoice_ids=[each.invoice_id for each in one.invoices], by=by, at=at)
    return len(certain)


def worth(certain: Mapping[int, Suggestion]) -> Money:
    """What these suggestions bring in: certain ones are exactly what is due."""
    return total([each.due for one in certain.values() for each in one.invoices])


def confirm(
    session: Session,
    line_id: int,
    *,
    invoice_ids: Sequence[int] = (),
    deposit_of: int | None = None,
    by: int,
    at: datetime,
) -> None:
    """Use a line for these invoices of one firm, in order; what is left over becomes its deposit.

    Without invoices it is a top-up of ``deposit_of``.

    Errors: ``Conflict`` for a line that is used already or invoices that are paid; ``InvalidInput`` for
    invoices of another platform or of several firms.
    """
    line = _open_line(session, line_id)
    ids = list(dict.fromkeys(invoice_ids))
    invoices = {
        one.id: one
        for one in session.scalars(
            select(Invoice).where(Invoice.id.in_(ids)).order_by(Invoice.id).with_for_update(of=Invoice)
        )
    }
    if len(invoices) != len(ids) or any(one.platform_id != line.platform_id for one in invoices.values()):
        raise InvalidInput("请选择本平台的结算单。", field="invoice_id")
    if len({one.organization_id for one in invoices.values()}) > 1:
        raise InvalidInput("一笔银行收款只能用于同一家企业的结算单。", field="invoice_id")
    if not invoices:
        if deposit_of is None:
            raise InvalidInput("请选择这笔款用于哪些结算单，或记入哪家企业的预存款。", field="invoice_id")
        top_up(
            session, platform_id=line.platform_id, organization_id=deposit_of, amount=line.amount_fen,
            paid_on=line.booked_on, reference=line.reference or line.remark, by=by, at=at, bank_line_id=line.id,
        )  # fmt: skip
    else:
        _share_out(session, line, [invoices[number] for number in ids], by=by, at=at)
    _decide(session, line, BankLineState.MATCHED, by=by, at=at)


def ignore(session: Session, line_id: int, *, reason: str, by: int, at: datetime) -> None:
    """Say that a line is no payment of ours. Errors: ``InvalidInput`` without a reason."""
    line = _open_line(session, line_id)
    if not reason.strip():
        raise InvalidInput("请填写忽略的原因。", field="reason")
    _decide(session, line, BankLineState.IGNORED, by=by, at=at, reason=reason.strip()[:300])


def reopen(session: Session, line_id: int, *, by: int, at: datetime) -> None:
    """An ignored line waits for a decision again."""
    line = _line(session, line_id)
    if line.state is not BankLineState.IGNORED:
        raise Conflict("只有已忽略的银行流水可以恢复。")
    _decide(session, line, BankLineState.OPEN, by=by, at=at)


def _share_out(session: Session, line: BankLine, invoices: Sequence[Invoice], *, by: int, at: datetime) -> None:
    left = line.amount_fen
    due = [amount_due(session, one) for one in invoices]
    if any(not one > ZERO for one in due):
        raise Conflict("所选结算单中有的已经付清，请刷新后重新选择。")
    for place, (invoice, wanted) in enumerate(zip(invoices, due, strict=True)):
        last = place == len(invoices) - 1
        amount = left if last else min(wanted, left)
        if not amount > ZERO:
            raise Conflict("这笔款不够支付所选的全部结算单，请少选几张。")
        record_payment(
            session, invoice.id, paid_on=line.booked_on, amount=amount, reference=line.reference or line.remark,
            by=by, at=at, payer_id=_payer_of(session, line, invoice), excess_to_deposit=last, bank_line_id=line.id,
        )  # fmt: skip
        left -= amount


def _payer_of(session: Session, line: BankLine, invoice: Invoice) -> int:
    """Whose share a line pays: the payer of its name, else the firm's."""
    named = (one.payer.id for one in shares_of(session, invoice.id) if one.payer.name == line.payer_name)
    return next(named, invoice.organization_id)


def _decide(session: Session, line: BankLine, state: BankLineState, *, by: int, at: datetime, reason: str = "") -> None:
    line.state, line.reason, line.decided_by, line.decided_at = state, reason, by, at
    session.flush()
    audit.record(
        session, at=at, by=by, deed=state.value, subject="bank_line", subject_id=line.id,
        amount=str(line.amount_fen), reason=reason,
    )  # fmt: skip


def _line(session: Session, line_id: int) -> BankLine:
    line = session.get(BankLine, line_id, with_for_update={"of": BankLine}, populate_existing=True)
    if line is None:
        raise NotFound("没有这笔银行流水。")
    return line


def _open_line(session: Session, line_id: int) -> BankLine:
    line = _line(session, line_id)
    if line.state is not BankLineState.OPEN:
        raise Conflict("这笔银行流水已经处理过，请刷新页面。")
    return line


def _statement(session: Session, statement_id: int) -> BankStatement:
    statement = session.get(BankStatement, statement_id)
    if statement is None:
        raise NotFound("没有这份银行对账文件。")
    return statement


def _as_line(line: BankLine) -> Line:
    return Line(line.id, line.amount_fen, line.payer_name, line.remark)
