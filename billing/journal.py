"""The journal: what every deed with money writes into the books, once and in balance."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.books import standing
from billing.models import ClosedBalance, JournalEntry, JournalPosting
from billing.rules.ledger import EntryKind, Postings, balances
from billing.rules.period import next_month

# Receivable gross, revenue net, output VAT; a credit note's sums are negative and so mirror the invoice.
# A document of nothing is only taken off the list.
_POST_DOCUMENTS = text("""
WITH taken AS (
    DELETE FROM unposted_document WHERE invoice_id IN (
        SELECT invoice_id FROM unposted_document
        WHERE CAST(:until AS date) IS NULL OR invoice_id IN (SELECT id FROM invoice WHERE issued_on < :until)
        ORDER BY invoice_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ) RETURNING invoice_id
), document AS (
    SELECT invoice.*, 'invoice:' || invoice.id AS key,
           upper(platform.code) || '-' || year || '-' || lpad(number::text, 6, '0') AS label
    FROM taken JOIN invoice ON invoice.id = invoice_id JOIN platform ON platform.id = platform_id
    WHERE gross_fen <> 0
), booked AS (
    INSERT INTO journal_entry (platform_id, value_on, kind, document, label, booked_by, created_at)
    SELECT platform_id, issued_on, kind, key, label, issued_by, :at FROM document ORDER BY id
    ON CONFLICT (document) DO NOTHING RETURNING id, document
), posted AS (
    INSERT INTO journal_posting (entry_id, account, organization_id, amount_fen)
    SELECT booked.id, side.account, side.organization_id, side.amount_fen
    FROM booked JOIN document ON document.key = booked.document
    CROSS JOIN LATERAL (VALUES
        ('receivable', document.organization_id, document.gross_fen),
        ('revenue', NULL, -document.net_fen),
        ('output_vat', NULL, -document.tax_fen)
    ) AS side (account, organization_id, amount_fen)
    WHERE side.amount_fen <> 0
    ORDER BY booked.id
)
SELECT count(*) FROM taken
""")


def post(
    session: Session,
    postings: Postings,
    *,
    platform_id: int,
    on: date,
    kind: EntryKind,
    document: str,
    label: str,
    by: int | None,
    at: datetime,
) -> None:
    """Book one deed of that day. A ``document`` that is in the books already is refused by the database.

    In a closed month nothing changes any more: what happened then is booked on the first day after it.

    Errors: ``ValueError`` for postings that do not sum to zero: a defect of the caller.
    """
    if not balances(postings):
        raise ValueError(f"{document} does not balance: {postings}")
    session.add(
        JournalEntry(
            platform_id=platform_id,
            value_on=on,
            kind=kind,
            document=document,
            label=label,
            booked_by=by,
            created_at=at,
            postings=[
                JournalPosting(account=one.account, organization_id=one.organization_id, amount_fen=one.amount)
                for one in postings
            ],
        )
    )
    session.flush()


def post_documents(session: Session, *, at: datetime, limit: int, until: date | None = None) -> int:
    """Book issued invoices and credit notes that the journal does not know yet. O(new documents).

    ``until`` leaves out what was issued on that day or later. Two at once share the work, and what is in the books
    already is not booked again.
    """
    return session.scalar(_POST_DOCUMENTS, {"at": at, "limit": limit, "until": until}) or 0


def close_books(session: Session, *, platform_id: int, month: date, at: datetime) -> None:
    """Book what was issued until the end of the month, and keep what each account stands at then.

    For whoever closes the month and has its row locked.
    """
    after = next_month(month)
    while post_documents(session, at=at, limit=1000, until=after):
        pass
    session.add_all(
        ClosedBalance(platform_id=platform_id, month=month, account=account, balance_fen=balance)
        for account, balance in standing(session, platform_id, before=after).items()
    )
    session.flush()
