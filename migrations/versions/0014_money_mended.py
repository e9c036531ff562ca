"""money in, mended"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

ENTRIES = (
    'invoice', 'credit_note', 'receipt', 'receipt_reversed', 'refund', 'credit_to_deposit', 'overpaid_to_deposit',
    'top_up', 'top_up_reversed', 'settled_from_deposit', 'settlement_reversed', 'deposit_refund',
)
NEW_ENTRIES = ('refund_reversed', 'credit_to_deposit_reversed', 'deposit_refund_reversed')
STATES = ('draft', 'issued', 'paid')

BOOKED = """
-- The first day on or after this one whose month is not closed; what is before a closed month is closed with it.
CREATE FUNCTION first_open_day(platform integer, day date) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT greatest(day, (max(month) + interval '1 month')::date)
    FROM period_close WHERE platform_id = platform AND state = 'closed'
$$;
-- The row of the month is locked, so that a close waits for what is being booked into it.
CREATE FUNCTION booked_in_an_open_month() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM period_close
    WHERE platform_id = NEW.platform_id AND month = date_trunc('month', NEW.value_on) FOR SHARE;
    NEW.booked_on := first_open_day(NEW.platform_id, NEW.value_on);
    RETURN NEW;
END $$;
CREATE TRIGGER in_an_open_month BEFORE INSERT ON journal_entry
    FOR EACH ROW EXECUTE FUNCTION booked_in_an_open_month();
"""
STAYS = """
CREATE OR REPLACE FUNCTION invoice_stays_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft'
       AND (TG_OP = 'DELETE' OR NEW.state NOT IN ('issued', 'paid', 'credited')
            OR (OLD.state = 'credited' AND NEW.state <> 'credited')
            OR to_jsonb(NEW) - 'state' IS DISTINCT FROM to_jsonb(OLD) - 'state') THEN
        RAISE EXCEPTION 'invoice % is issued', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
UPDATE invoice SET state = 'credited'
WHERE state <> 'draft' AND kind = 'invoice' AND gross_fen > 0
  AND gross_fen = (SELECT -sum(note.gross_fen) FROM invoice note WHERE note.credits_id = invoice.id);

-- A number changes only where the correction says what it was.
CREATE OR REPLACE FUNCTION tax_invoice_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ending text[] := '{withdrawn_at,withdrawn_by,replaced_at,number}';
BEGIN
    IF TG_OP = 'DELETE' OR OLD.withdrawn_at IS NOT NULL
       OR (OLD.replaced_at IS NOT NULL AND NEW.replaced_at IS DISTINCT FROM OLD.replaced_at)
       OR to_jsonb(NEW) - ending IS DISTINCT FROM to_jsonb(OLD) - ending
       OR (NEW.number <> OLD.number AND NOT EXISTS (
           SELECT FROM corrected_number
           WHERE tax_invoice_id = OLD.id AND before = OLD.number AND after = NEW.number)) THEN
        RAISE EXCEPTION 'tax invoice % can only be withdrawn, replaced or its number corrected', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION red_letter_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'number' IS DISTINCT FROM to_jsonb(OLD) - 'number'
       OR (NEW.number <> OLD.number AND NOT EXISTS (
           SELECT FROM corrected_number
           WHERE red_letter_id = OLD.id AND before = OLD.number AND after = NEW.number)) THEN
        RAISE EXCEPTION 'of red letter % only the number can be corrected', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER only_grows ON red_letter;
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON red_letter FOR EACH ROW EXECUTE FUNCTION red_letter_stays();
"""
# What was issued before is kept as it is called today; documents that were made already stay as they are.
WORDS = """
INSERT INTO invoice_words (invoice_id, words)
SELECT invoice.id, jsonb_build_object(
    'label', upper(platform.code) || '-' || invoice.year || '-' || lpad(invoice.number::text, 6, '0'),
    'credits', coalesce(upper(platform.code) || '-' || credited.year || '-' || lpad(credited.number::text, 6, '0'), ''),
    'platform', jsonb_build_object(
        'zh', platform.name_zh, 'en', platform.name_en, 'sample', platform.illustrative),
    'seller', jsonb_build_object('name', seller.name, 'uscc', coalesce(seller.uscc, '')),
    'buyer', jsonb_build_object('name', buyer.name, 'uscc', coalesce(buyer.uscc, '')),
    'contract_no', coalesce(buyer_detail.contract_no, ''),
    'dispute_days', coalesce(billing_settings.dispute_days, 7),
    'preparer', coalesce(preparer.name, ''),
    'reviewers', coalesce((
        SELECT jsonb_agg(person.name ORDER BY person.id) FROM person
        WHERE person.id IN (SELECT approved_by FROM invoice_line JOIN charge ON charge.id = charge_id
                            WHERE invoice_line.invoice_id = invoice.id)), '[]'),
    'equipment', coalesce((
        SELECT jsonb_object_agg(equipment.id, equipment.code) FROM equipment
        WHERE equipment.id IN (SELECT equipment_id FROM invoice_line JOIN charge ON charge.id = charge_id
                               WHERE invoice_line.invoice_id = invoice.id)), '{}'),
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
WHERE invoice.state <> 'draft'
"""
ONLY_GROWING = ('closed_balance', 'corrected_number', 'invoice_words')


def upgrade() -> None:
    _know('journal_entry', 'kind', 'entrykind', (*ENTRIES, *NEW_ENTRIES))
    _know('invoice', 'state', 'invoicestate', (*STATES, 'credited'))
    _fill('journal_entry', sa.Column('value_on', sa.Date()), 'value_on = booked_on')
    op.create_table('closed_balance',
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('account', sa.Enum('bank', 'receivable', 'deposit', 'output_vat', 'revenue', name='account_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('balance_fen', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_closed_balance_platform_id')),
    sa.PrimaryKeyConstraint('platform_id', 'month', 'account', name=op.f('pk_closed_balance'))
    )
    op.execute(BOOKED)

    _fill('payment', sa.Column('payer_id', sa.Integer()),
          'payer_id = (SELECT organization_id FROM invoice WHERE invoice.id = payment.invoice_id)')
    op.create_foreign_key(op.f('fk_payment_payer_id'), 'payment', 'organization', ['payer_id'], ['id'])
    op.drop_constraint(op.f('ck_payment_only_receipts_add'), 'payment')
    op.create_check_constraint(op.f('ck_payment_kind_says_direction'), 'payment',
        "amount_fen <> 0 AND (kind = 'reversal' OR (kind = 'receipt') = (amount_fen > 0))")
    op.drop_constraint(op.f('ck_deposit_movement_kind_says_direction'), 'deposit_movement')
    op.create_check_constraint(op.f('ck_deposit_movement_kind_says_direction'), 'deposit_movement',
        "amount_fen <> 0 AND (kind = 'reversal' OR (kind IN ('top_up', 'overpayment', 'returned')) = (amount_fen > 0))")

    op.add_column('charge', sa.Column('again_of_id', sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f('fk_charge_again_of_id'), 'charge', 'charge', ['again_of_id'], ['id'])
    op.create_index(op.f('ix_charge_again_of_id'), 'charge', ['again_of_id'])
    for column in ('quote_line_id', 'conduct_entry_id'):
        op.drop_constraint(op.f(f'uq_charge_{column}'), 'charge')
        op.create_index(f'uq_charge_{column}', 'charge', [column], unique=True, postgresql_where=sa.text('again_of_id IS NULL'))

    op.add_column('tax_invoice', sa.Column('replaced_at', sa.DateTime(timezone=True), nullable=True))
    op.drop_index('uq_tax_invoice_one_live', table_name='tax_invoice')
    op.create_index('uq_tax_invoice_one_live', 'tax_invoice', ['invoice_id', 'buyer_id'], unique=True,
        postgresql_where=sa.text('withdrawn_at IS NULL AND replaced_at IS NULL'))
    op.add_column('red_request', sa.Column('bill_again', sa.Boolean(), server_default='false', nullable=False))
    op.add_column('red_request', sa.Column('tax_invoice_id', sa.Integer(), nullable=True))
    op.create_foreign_key(op.f('fk_red_request_tax_invoice_id'), 'red_request', 'tax_invoice', ['tax_invoice_id'], ['id'])
    op.drop_constraint(op.f('ck_red_request_issued_with_its_note'), 'red_request')
    op.create_check_constraint(op.f('ck_red_request_issued_with_its_note'), 'red_request',
        "(state = 'issued' AND tax_invoice_id IS NULL) = (note_id IS NOT NULL)")
    op.create_table('corrected_number',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('tax_invoice_id', sa.Integer(), nullable=True),
    sa.Column('red_letter_id', sa.Integer(), nullable=True),
    sa.Column('before', sa.String(length=20), nullable=False),
    sa.Column('after', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('corrected_by', sa.Integer(), nullable=False),
    sa.Column('corrected_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('num_nonnulls(tax_invoice_id, red_letter_id) = 1', name=op.f('ck_corrected_number_of_one_document')),
    sa.CheckConstraint("reason <> '' AND before <> after", name=op.f('ck_corrected_number_says_why')),
    sa.ForeignKeyConstraint(['tax_invoice_id'], ['tax_invoice.id'], name=op.f('fk_corrected_number_tax_invoice_id')),
    sa.ForeignKeyConstraint(['red_letter_id'], ['red_letter.id'], name=op.f('fk_corrected_number_red_letter_id')),
    sa.ForeignKeyConstraint(['corrected_by'], ['person.id'], name=op.f('fk_corrected_number_corrected_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_corrected_number'))
    )
    for column in ('tax_invoice_id', 'red_letter_id'):
        op.create_index(op.f(f'ix_corrected_number_{column}'), 'corrected_number', [column])
    op.create_table('invoice_words',
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('words', postgresql.JSONB(), nullable=False),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_invoice_words_invoice_id')),
    sa.PrimaryKeyConstraint('invoice_id', name=op.f('pk_invoice_words'))
    )
    op.execute(STAYS)
    op.execute(WORDS)
    for table in ONLY_GROWING:
        op.execute(f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION only_grows()")


def downgrade() -> None:
    raise NotImplementedError('money that moved since cannot be told in the tables as they were before')


def _know(table: str, column: str, name: str, words: tuple[str, ...]) -> None:
    """Let a column hold these words."""
    op.drop_constraint(op.f(f'ck_{table}_{name}_word'), table)
    listed = ', '.join(f"'{one}'" for one in words)
    op.create_check_constraint(op.f(f'ck_{table}_{name}_word'), table, f'{column} IN ({listed})')


def _fill(table: str, column: sa.Column[object], value: str) -> None:
    """Add a column that is known of every row, to a table that otherwise only grows."""
    op.add_column(table, column)
    op.execute(f'ALTER TABLE {table} DISABLE TRIGGER only_grows')
    op.execute(f'UPDATE {table} SET {value}')
    op.execute(f'ALTER TABLE {table} ENABLE TRIGGER only_grows')
    op.alter_column(table, column.name, nullable=False)
