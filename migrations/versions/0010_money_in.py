"""the journal, receipts, deposits and bank lines"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

NOTICES = (
    'reminder', 'reservation_changed', 'approval_wanted', 'decision', 'offer', 'conduct', 'qualification',
    'service_request', 'metering', 'payment',
)
ONLY_GROWING = ('journal_entry', 'journal_posting', 'deposit_movement')

RULES = """
-- Each entry has at least two postings that sum to zero; looked at when the transaction ends.
CREATE FUNCTION entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entry bigint := CASE TG_TABLE_NAME WHEN 'journal_entry' THEN (to_jsonb(NEW) ->> 'id')::bigint
                                       ELSE (to_jsonb(NEW) ->> 'entry_id')::bigint END;
    postings bigint;
    balance numeric;
BEGIN
    SELECT count(*), coalesce(sum(amount_fen), 0) INTO postings, balance FROM journal_posting WHERE entry_id = entry;
    IF postings < 2 OR balance <> 0 THEN
        RAISE EXCEPTION 'journal entry % has % postings that sum to %', entry, postings, balance
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balances';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON journal_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION entry_balances();
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON journal_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION entry_balances();

-- What is issued waits for the journal, whoever issued it.
CREATE FUNCTION document_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unposted_document (invoice_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER issued_is_posted AFTER UPDATE OF state ON invoice FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state <> 'draft') EXECUTE FUNCTION document_waits();
CREATE TRIGGER made_issued_is_posted AFTER INSERT ON invoice FOR EACH ROW
    WHEN (NEW.state <> 'draft') EXECUTE FUNCTION document_waits();
INSERT INTO unposted_document (invoice_id) SELECT id FROM invoice WHERE state <> 'draft';

-- A deposit is the sum of its movements, and what is held the sum of its open holds.
CREATE FUNCTION deposit_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE deposit_account SET balance_fen = balance_fen + NEW.amount_fen WHERE id = NEW.account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER deposit_follows AFTER INSERT ON deposit_movement FOR EACH ROW EXECUTE FUNCTION deposit_follows();
CREATE FUNCTION held_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before bigint := CASE WHEN TG_OP = 'INSERT' THEN 0 WHEN OLD.ended_at IS NULL THEN OLD.amount_fen ELSE 0 END;
    after bigint := CASE WHEN NEW.ended_at IS NULL THEN NEW.amount_fen ELSE 0 END;
BEGIN
    UPDATE deposit_account SET held_fen = held_fen + after - before WHERE id = NEW.account_id AND after <> before;
    RETURN NULL;
END $$;
CREATE TRIGGER held_follows AFTER INSERT OR UPDATE ON deposit_hold FOR EACH ROW EXECUTE FUNCTION held_follows();
"""
FUNCTIONS = ('entry_balances', 'document_waits', 'deposit_follows', 'held_follows')


def upgrade() -> None:
    _know_notices(NOTICES)
    op.create_table('billing_settings',
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('deposit_hold', sa.Boolean(), nullable=False),
    sa.Column('block_overdue_days', sa.Integer(), nullable=True),
    sa.Column('dispute_days', sa.Integer(), nullable=False),
    sa.Column('pay_to', sa.String(length=300), nullable=False),
    sa.CheckConstraint('block_overdue_days >= 0 AND dispute_days >= 0', name=op.f('ck_billing_settings_sane_days')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_billing_settings_platform_id')),
    sa.PrimaryKeyConstraint('platform_id', name=op.f('pk_billing_settings'))
    )
    op.create_table('payment_term',
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('since', sa.Date(), nullable=False),
    sa.Column('days', sa.Integer(), nullable=False),
    sa.CheckConstraint('days BETWEEN 0 AND 365', name=op.f('ck_payment_term_sane_days')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_payment_term_platform_id')),
    sa.PrimaryKeyConstraint('platform_id', 'since', name=op.f('pk_payment_term'))
    )
    op.create_table('bank_statement',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('file_name', sa.String(length=300), nullable=False),
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('uploaded_by', sa.Integer(), nullable=False),
    sa.Column('uploaded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('imported_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_bank_statement_platform_id')),
    sa.ForeignKeyConstraint(['uploaded_by'], ['person.id'], name=op.f('fk_bank_statement_uploaded_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bank_statement')),
    sa.UniqueConstraint('platform_id', 'digest', name=op.f('uq_bank_statement_platform_id_digest'))
    )
    op.create_table('bank_line',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('statement_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=300), nullable=False),
    sa.Column('booked_on', sa.Date(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('payer_name', sa.String(length=300), nullable=False),
    sa.Column('payer_account', sa.String(length=80), nullable=False),
    sa.Column('remark', sa.String(length=300), nullable=False),
    sa.Column('reference', sa.String(length=80), nullable=False),
    sa.Column('state', sa.Enum('open', 'matched', 'ignored', name='banklinestate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('decided_by', sa.Integer(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state <> 'ignored' OR reason <> ''", name=op.f('ck_bank_line_ignored_for_a_reason')),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_bank_line_came_in')),
    sa.ForeignKeyConstraint(['decided_by'], ['person.id'], name=op.f('fk_bank_line_decided_by')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_bank_line_platform_id')),
    sa.ForeignKeyConstraint(['statement_id'], ['bank_statement.id'], name=op.f('fk_bank_line_statement_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bank_line')),
    sa.UniqueConstraint('platform_id', 'key', name=op.f('uq_bank_line_platform_id_key'))
    )
    op.create_index('ix_bank_line_open', 'bank_line', ['platform_id', 'booked_on'], unique=False, postgresql_where=sa.text("state = 'open'"))
    op.create_index(op.f('ix_bank_line_statement_id'), 'bank_line', ['statement_id'], unique=False)
    op.add_column('payment', sa.Column('kind', sa.Enum('receipt', 'reversal', 'refund', name='paymentkind_word', native_enum=False, create_constraint=False, length=40), server_default='receipt', nullable=False))
    op.add_column('payment', sa.Column('way', sa.Enum('bank', 'deposit', name='paymentway_word', native_enum=False, create_constraint=False, length=40), server_default='bank', nullable=False))
    op.add_column('payment', sa.Column('reason', sa.String(length=300), server_default='', nullable=False))
    op.add_column('payment', sa.Column('reverses_id', sa.Integer(), nullable=True))
    op.add_column('payment', sa.Column('bank_line_id', sa.Integer(), nullable=True))
    op.create_check_constraint(op.f('ck_payment_paymentkind_word'), 'payment', "kind IN ('receipt', 'reversal', 'refund')")
    op.create_check_constraint(op.f('ck_payment_paymentway_word'), 'payment', "way IN ('bank', 'deposit')")
    op.drop_constraint(op.f('ck_payment_something_was_paid'), 'payment')
    op.create_check_constraint(op.f('ck_payment_only_receipts_add'), 'payment', "(kind = 'receipt') = (amount_fen > 0) AND amount_fen <> 0")
    op.create_check_constraint(op.f('ck_payment_reversal_names_receipt'), 'payment', "(kind = 'reversal') = (reverses_id IS NOT NULL)")
    op.create_unique_constraint(op.f('uq_payment_reverses_id'), 'payment', ['reverses_id'])
    op.create_foreign_key(op.f('fk_payment_reverses_id'), 'payment', 'payment', ['reverses_id'], ['id'])
    op.create_foreign_key(op.f('fk_payment_bank_line_id'), 'payment', 'bank_line', ['bank_line_id'], ['id'])
    op.create_index(op.f('ix_payment_bank_line_id'), 'payment', ['bank_line_id'], unique=False)
    op.create_index('ix_invoice_open', 'invoice', ['platform_id', 'organization_id'], unique=False, postgresql_where=sa.text("state = 'issued' AND kind = 'invoice'"))
    op.create_table('deposit_account',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('balance_fen', sa.BigInteger(), nullable=False),
    sa.Column('held_fen', sa.BigInteger(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('0 <= held_fen AND held_fen <= balance_fen', name=op.f('ck_deposit_account_never_overdrawn')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_deposit_account_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_deposit_account_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deposit_account')),
    sa.UniqueConstraint('platform_id', 'organization_id', name=op.f('uq_deposit_account_platform_id_organization_id'))
    )
    op.create_index(op.f('ix_deposit_account_organization_id'), 'deposit_account', ['organization_id'], unique=False)
    op.create_table('deposit_movement',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('top_up', 'overpayment', 'settlement', 'returned', 'refund', 'reversal', name='movementkind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('moved_on', sa.Date(), nullable=False),
    sa.Column('payment_id', sa.Integer(), nullable=True),
    sa.Column('reverses_id', sa.Integer(), nullable=True),
    sa.Column('bank_line_id', sa.Integer(), nullable=True),
    sa.Column('reference', sa.String(length=300), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('recorded_by', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name=op.f('ck_deposit_movement_reversal_names_movement')),
    sa.CheckConstraint("amount_fen <> 0 AND (kind IN ('top_up', 'overpayment', 'returned')) = (amount_fen > 0)", name=op.f('ck_deposit_movement_kind_says_direction')),
    sa.ForeignKeyConstraint(['account_id'], ['deposit_account.id'], name=op.f('fk_deposit_movement_account_id')),
    sa.ForeignKeyConstraint(['bank_line_id'], ['bank_line.id'], name=op.f('fk_deposit_movement_bank_line_id')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_deposit_movement_payment_id')),
    sa.ForeignKeyConstraint(['recorded_by'], ['person.id'], name=op.f('fk_deposit_movement_recorded_by')),
    sa.ForeignKeyConstraint(['reverses_id'], ['deposit_movement.id'], name=op.f('fk_deposit_movement_reverses_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deposit_movement')),
    sa.UniqueConstraint('reverses_id', name=op.f('uq_deposit_movement_reverses_id'))
    )
    op.create_index(op.f('ix_deposit_movement_account_id_id'), 'deposit_movement', ['account_id', 'id'], unique=False)
    op.create_index(op.f('ix_deposit_movement_bank_line_id'), 'deposit_movement', ['bank_line_id'], unique=False)
    op.create_index(op.f('ix_deposit_movement_payment_id'), 'deposit_movement', ['payment_id'], unique=False)
    op.create_table('deposit_hold',
    sa.Column('reservation_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('held_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_by', sa.Enum('given_up', 'used', name='holdend_word', native_enum=False, create_constraint=True, length=40), nullable=True),
    sa.CheckConstraint('(ended_at IS NULL) = (ended_by IS NULL)', name=op.f('ck_deposit_hold_end_has_a_cause')),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_deposit_hold_holds_something')),
    sa.ForeignKeyConstraint(['account_id'], ['deposit_account.id'], name=op.f('fk_deposit_hold_account_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_deposit_hold_reservation_id')),
    sa.PrimaryKeyConstraint('reservation_id', name=op.f('pk_deposit_hold'))
    )
    op.create_index(op.f('ix_deposit_hold_account_id'), 'deposit_hold', ['account_id'], unique=False)
    op.create_index('ix_deposit_hold_open', 'deposit_hold', ['reservation_id'], unique=False, postgresql_where=sa.text('ended_at IS NULL'))
    op.create_table('unposted_document',
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_unposted_document_invoice_id')),
    sa.PrimaryKeyConstraint('invoice_id', name=op.f('pk_unposted_document'))
    )
    op.create_table('journal_entry',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('booked_on', sa.Date(), nullable=False),
    sa.Column('kind', sa.Enum('invoice', 'credit_note', 'receipt', 'receipt_reversed', 'refund', 'credit_to_deposit', 'overpaid_to_deposit', 'top_up', 'top_up_reversed', 'settled_from_deposit', 'settlement_reversed', 'deposit_refund', name='entrykind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('document', sa.String(length=80), nullable=False),
    sa.Column('label', sa.String(length=300), nullable=False),
    sa.Column('booked_by', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['booked_by'], ['person.id'], name=op.f('fk_journal_entry_booked_by')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_journal_entry_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_journal_entry')),
    sa.UniqueConstraint('document', name=op.f('uq_journal_entry_document'))
    )
    op.create_index(op.f('ix_journal_entry_platform_id_booked_on'), 'journal_entry', ['platform_id', 'booked_on'], unique=False)
    op.create_table('journal_posting',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('entry_id', sa.BigInteger(), nullable=False),
    sa.Column('account', sa.Enum('bank', 'receivable', 'deposit', 'output_vat', 'revenue', name='account_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=True),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("(account IN ('receivable', 'deposit')) = (organization_id IS NOT NULL)", name=op.f('ck_journal_posting_says_whose_it_is')),
    sa.CheckConstraint('amount_fen <> 0', name=op.f('ck_journal_posting_of_something')),
    sa.ForeignKeyConstraint(['entry_id'], ['journal_entry.id'], name=op.f('fk_journal_posting_entry_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_journal_posting_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_journal_posting'))
    )
    op.create_index(op.f('ix_journal_posting_entry_id'), 'journal_posting', ['entry_id'], unique=False)
    op.create_index(op.f('ix_journal_posting_organization_id_account'), 'journal_posting', ['organization_id', 'account'], unique=False)
    op.execute(RULES)
    for table in ONLY_GROWING:
        op.execute(f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION only_grows()")
    # Money that was received before there was a journal is booked as it was recorded.
    op.execute("""
        INSERT INTO journal_entry (platform_id, booked_on, kind, document, label, booked_by, created_at)
        SELECT invoice.platform_id, paid_on, 'receipt', 'payment:' || payment.id,
               upper(platform.code) || '-' || year || '-' || lpad(number::text, 6, '0'), recorded_by, recorded_at
        FROM payment JOIN invoice ON invoice.id = invoice_id JOIN platform ON platform.id = invoice.platform_id
    """)
    op.execute("""
        INSERT INTO journal_posting (entry_id, account, organization_id, amount_fen)
        SELECT entry.id, line.account, line.organization_id, line.amount_fen
        FROM payment JOIN invoice ON invoice.id = invoice_id
        JOIN journal_entry entry ON entry.document = 'payment:' || payment.id
        CROSS JOIN LATERAL (VALUES ('bank', NULL, payment.amount_fen),
                                   ('receivable', invoice.organization_id, -payment.amount_fen))
            AS line (account, organization_id, amount_fen)
    """)


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    for table in ('journal_posting', 'journal_entry', 'unposted_document', 'deposit_hold', 'deposit_movement', 'deposit_account'):
        op.drop_table(table)
    op.drop_index('ix_invoice_open', table_name='invoice')
    for column in ('bank_line_id', 'reverses_id', 'reason', 'way', 'kind'):
        op.drop_column('payment', column)
    op.drop_constraint(op.f('ck_payment_only_receipts_add'), 'payment', if_exists=True)
    op.create_check_constraint(op.f('ck_payment_something_was_paid'), 'payment', 'amount_fen > 0')
    for table in ('bank_line', 'bank_statement', 'payment_term', 'billing_settings'):
        op.drop_table(table)
    _know_notices(NOTICES[:-1])


def _know_notices(kinds: tuple[str, ...]) -> None:
    for table in ('notice', 'notice_choice'):
        op.drop_constraint(op.f(f'ck_{table}_noticekind_word'), table)
        words = ', '.join(f"'{kind}'" for kind in kinds)
        op.create_check_constraint(op.f(f'ck_{table}_noticekind_word'), table, f'kind IN ({words})')
