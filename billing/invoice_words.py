"""What names and settings say when an invoice is issued: frozen, so that its document never reads today's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Integer, bindparam, text
from sqlalchemy.orm import Session

from billing.models import InvoiceWords
from billing.money_settings import DISPUTE_DAYS

_FREEZE = text("""
INSERT INTO invoice_words (invoice_id, words)
SELECT invoice.id, jsonb_build_object(
    'label', upper(platform.code) || '-' || invoice.year || '-' || lpad(invoice.number::text, 6, '0'),
    'credits', coalesce(upper(platform.code) || '-' || credited.year || '-' || lpad(credited.number::text, 6, '0'), ''),
    'platform', jsonb_build_object(
        'zh', platform.name_zh, 'en', platform.name_en, 'sample', platform.illustrative),
    'seller', jsonb_build_object('name', seller.name, 'uscc', coalesce(seller.uscc, '')),
    'buyer', jsonb_build_object('name', buyer.name, 'uscc', coalesce(buyer.uscc, '')),
    'contract_no', coalesce(buyer_detail.contract_no, ''),
    'dispute_days', coalesce(billing_settings.dispute_days, :dispute_days),
    'preparer', coalesce(preparer.name, ''),
    'reviewers', coalesce((
        SELECT jsonb_agg(person.name ORDER BY person.id) FROM person WHERE person.id = ANY (behind.reviewers)), '[]'),
    'equipment', coalesce((
        SELECT jsonb_object_agg(equipment.id, equipment.code) FROM equipment
        WHERE equipment.id = ANY (behind.equipment)), '{}'),
    'payers', coalesce((
        SELECT jsonb_object_agg(payer.id, jsonb_build_object('name', payer.name, 'uscc', coalesce(payer.uscc, '')))
        FROM organization payer
        WHERE payer.id IN (SELECT payer_id FROM invoice_share WHERE invoice_share.invoice_id = invoice.id)), '{}'))
FROM invoice
JOIN platform ON platform.id = invoice.platform_id
JOIN organization seller ON seller.id = invoice.seller_id
JOIN organization buyer ON buyer.id = invoice.organization_id
LEFT JOIN invoice credited ON credited.id = invoice.credits_id
LEFT JOIN person preparer ON preparer.id = invoice.issued_by
LEFT JOIN billing_settings ON billing_settings.platform_id = invoice.platform_id
LEFT JOIN buyer_detail ON buyer_detail.platform_id = invoice.platform_id
                      AND buyer_detail.organization_id = invoice.organization_id
LEFT JOIN (
    SELECT invoice_line.invoice_id,
           array_agg(DISTINCT charge.approved_by) AS reviewers, array_agg(DISTINCT charge.equipment_id) AS equipment
    FROM invoice_line JOIN charge ON charge.id = invoice_line.charge_id
    WHERE invoice_line.invoice_id = ANY (:issued)
    GROUP BY invoice_line.invoice_id
) behind ON behind.invoice_id = invoice.id
WHERE invoice.id = ANY (:issued)
""").bindparams(bindparam("issued", type_=ARRAY(Integer)))


def freeze_words(session: Session, issued: Sequence[int]) -> None:
    """Keep what the documents of these invoices say beside their lines. Once, after their shares; O(lines)."""
    session.execute(_FREEZE, {"issued": list(issued), "dispute_days": DISPUTE_DAYS})


def words_of(session: Session, invoice_id: int) -> dict[str, Any]:
    """What was frozen when it was issued."""
    return session.get_one(InvoiceWords, invoice_id).words
