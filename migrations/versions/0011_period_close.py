"""long work, period closes and shares of revenue"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

CLOSED_STAYS = """
CREATE FUNCTION period_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the month % of platform % is closed', OLD.month, OLD.platform_id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER stays_closed BEFORE UPDATE OR DELETE ON period_close
    FOR EACH ROW WHEN (OLD.state = 'closed') EXECUTE FUNCTION period_stays_closed();

CREATE FUNCTION month_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM period_close
        WHERE platform_id = NEW.platform_id AND state = 'closed'
          AND (month = date_trunc('month', NEW.issued_on) OR (NEW.kind = 'invoice' AND month = NEW.month))
    ) THEN
        RAISE EXCEPTION 'invoice % would be of or in a closed month', NEW.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER in_an_open_month BEFORE UPDATE ON invoice
    FOR EACH ROW WHEN (OLD.state = 'draft' AND NEW.state <> 'draft') EXECUTE FUNCTION month_is_open();
CREATE TRIGGER issued_in_an_open_month BEFORE INSERT ON invoice
    FOR EACH ROW WHEN (NEW.state <> 'draft') EXECUTE FUNCTION month_is_open();
"""
TO_BE_RECOGNIZED = """
CREATE FUNCTION revenue_to_be_recognized() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unrecognized_invoice (invoice_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER to_be_recognized AFTER UPDATE ON invoice
    FOR EACH ROW WHEN (OLD.state = 'draft' AND NEW.state <> 'draft') EXECUTE FUNCTION revenue_to_be_recognized();
CREATE TRIGGER is_to_be_recognized AFTER INSERT ON invoice
    FOR EACH ROW WHEN (NEW.state <> 'draft') EXECUTE FUNCTION revenue_to_be_recognized();
INSERT INTO unrecognized_invoice
SELECT DISTINCT invoice_line.invoice_id
FROM invoice_line
JOIN invoice ON invoice.id = invoice_line.invoice_id AND invoice.state <> 'draft'
LEFT JOIN revenue_entry ON revenue_entry.invoice_line_id = invoice_line.id
WHERE revenue_entry.id IS NULL;
"""
SHARES_STAY = """
CREATE FUNCTION shares_stay_confirmed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'sharing proposal % is confirmed', OLD.id USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER stays_confirmed BEFORE UPDATE OR DELETE ON sharing_proposal
    FOR EACH ROW WHEN (OLD.state = 'confirmed') EXECUTE FUNCTION shares_stay_confirmed();
CREATE FUNCTION share_lines_stay() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line sharing_line := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF EXISTS (SELECT FROM sharing_proposal WHERE id IN (line.proposal_id, OLD.proposal_id) AND state = 'confirmed') THEN
        RAISE EXCEPTION 'sharing proposal % is confirmed', line.proposal_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN line;
END $$;
CREATE TRIGGER stays_confirmed BEFORE INSERT OR UPDATE OR DELETE ON sharing_line
    FOR EACH ROW EXECUTE FUNCTION share_lines_stay();
"""
# The same refusals as before, asked once a statement, or not at all where the row itself says that nothing is issued:
# a month of a million lines is written in one go.
BY_STATEMENT = """
DROP TRIGGER stays_issued ON invoice_line;
CREATE TRIGGER stays_issued BEFORE UPDATE OR DELETE ON invoice_line
    FOR EACH ROW EXECUTE FUNCTION line_stays_issued();
CREATE FUNCTION lines_go_on_drafts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added JOIN invoice ON invoice.id = added.invoice_id WHERE invoice.state <> 'draft') THEN
        RAISE EXCEPTION 'a line was added to an invoice that is issued' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER go_on_drafts AFTER INSERT ON invoice_line
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION lines_go_on_drafts();
DROP TRIGGER stays_invoiced ON charge;
CREATE TRIGGER stays_invoiced BEFORE UPDATE OR DELETE ON charge
    FOR EACH ROW WHEN (OLD.state = 'invoiced') EXECUTE FUNCTION charge_stays_invoiced();
DROP TRIGGER stays_frozen ON usage_session;
CREATE TRIGGER stays_frozen BEFORE UPDATE OR DELETE ON usage_session
    FOR EACH ROW WHEN (OLD.frozen_at IS NOT NULL) EXECUTE FUNCTION session_stays_frozen();
"""


def upgrade() -> None:
    op.create_table('long_work',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=80), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=True),
    sa.Column('asked_by', sa.Integer(), nullable=True),
    sa.Column('arguments', postgresql.JSONB(), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'running', 'done', 'failed', name='workstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('said', sa.Text(), nullable=False),
    sa.Column('facts', postgresql.JSONB(), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('advanced_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('done >= 0 AND total >= 0', name=op.f('ck_long_work_counts')),
    sa.CheckConstraint("(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name=op.f('ck_long_work_finished_or_not')),
    sa.ForeignKeyConstraint(['asked_by'], ['person.id'], name=op.f('fk_long_work_asked_by')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_long_work_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_long_work'))
    )
    op.create_index(op.f('ix_long_work_platform_id'), 'long_work', ['platform_id'], unique=False)
    op.create_index('ix_long_work_open', 'long_work', ['advanced_at', 'id'], unique=False, postgresql_where=sa.text("state IN ('waiting', 'running')"))

    op.create_table('period_close',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('state', sa.Enum('open', 'closing', 'closed', name='periodstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_by', sa.Integer(), nullable=True),
    sa.Column('waiting_count', sa.Integer(), nullable=False),
    sa.Column('long_work_id', sa.Integer(), nullable=True),
    sa.CheckConstraint('extract(day FROM month) = 1', name=op.f('ck_period_close_a_whole_month')),
    sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name=op.f('ck_period_close_closed_when')),
    sa.ForeignKeyConstraint(['closed_by'], ['person.id'], name=op.f('fk_period_close_closed_by')),
    sa.ForeignKeyConstraint(['long_work_id'], ['long_work.id'], name=op.f('fk_period_close_long_work_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_period_close_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_period_close')),
    sa.UniqueConstraint('platform_id', 'month', name=op.f('uq_period_close_platform_id_month'))
    )
    op.create_table('late_release',
    sa.Column('charge_id', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('released_by', sa.Integer(), nullable=False),
    sa.Column('released_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['charge_id'], ['charge.id'], name=op.f('fk_late_release_charge_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['released_by'], ['person.id'], name=op.f('fk_late_release_released_by')),
    sa.PrimaryKeyConstraint('charge_id', name=op.f('pk_late_release'))
    )
    op.create_table('sharing_agreement',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=300), nullable=False),
    sa.Column('document_no', sa.String(length=300), nullable=False),
    sa.Column('days', postgresql.DATERANGE(), nullable=False),
    sa.Column('created_by', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    postgresql.ExcludeConstraint((sa.column('platform_id'), '='), (sa.column('days'), '&&'), using='gist', name='one_at_a_time'),
    sa.CheckConstraint('NOT isempty(days) AND NOT lower_inf(days)', name=op.f('ck_sharing_agreement_begins')),
    sa.ForeignKeyConstraint(['created_by'], ['person.id'], name=op.f('fk_sharing_agreement_created_by')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_sharing_agreement_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sharing_agreement'))
    )
    op.create_table('sharing_party',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('agreement_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('percent', sa.Numeric(precision=7, scale=4), nullable=False),
    sa.Column('takes_remainder', sa.Boolean(), nullable=False),
    sa.CheckConstraint('percent > 0 AND percent < 100', name=op.f('ck_sharing_party_a_part')),
    sa.ForeignKeyConstraint(['agreement_id'], ['sharing_agreement.id'], name=op.f('fk_sharing_party_agreement_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_sharing_party_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sharing_party')),
    sa.UniqueConstraint('agreement_id', 'organization_id', name=op.f('uq_sharing_party_agreement_id_organization_id'))
    )
    op.create_index('uq_sharing_party_takes_remainder', 'sharing_party', ['agreement_id'], unique=True, postgresql_where=sa.text('takes_remainder'))
    op.create_table('sharing_proposal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('agreement_id', sa.Integer(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('base_fen', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Enum('proposed', 'confirmed', name='proposalstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('computed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_by', sa.Integer(), nullable=True),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('extract(day FROM month) = 1', name=op.f('ck_sharing_proposal_a_whole_month')),
    sa.CheckConstraint("(state = 'confirmed') = (confirmed_at IS NOT NULL) AND num_nulls(confirmed_at, confirmed_by) IN (0, 2)", name=op.f('ck_sharing_proposal_confirmed_by_whom')),
    sa.ForeignKeyConstraint(['agreement_id'], ['sharing_agreement.id'], name=op.f('fk_sharing_proposal_agreement_id')),
    sa.ForeignKeyConstraint(['confirmed_by'], ['person.id'], name=op.f('fk_sharing_proposal_confirmed_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sharing_proposal')),
    sa.UniqueConstraint('agreement_id', 'month', 'sequence', name=op.f('uq_sharing_proposal_agreement_id_month_sequence'))
    )
    op.create_index('uq_sharing_proposal_one_open', 'sharing_proposal', ['agreement_id', 'month'], unique=True, postgresql_where=sa.text("state = 'proposed'"))
    op.create_table('sharing_line',
    sa.Column('proposal_id', sa.Integer(), nullable=False),
    sa.Column('party_id', sa.Integer(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['party_id'], ['sharing_party.id'], name=op.f('fk_sharing_line_party_id')),
    sa.ForeignKeyConstraint(['proposal_id'], ['sharing_proposal.id'], name=op.f('fk_sharing_line_proposal_id')),
    sa.PrimaryKeyConstraint('proposal_id', 'party_id', name=op.f('pk_sharing_line'))
    )
    op.create_table('unrecognized_invoice',
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_unrecognized_invoice_invoice_id')),
    sa.PrimaryKeyConstraint('invoice_id', name=op.f('pk_unrecognized_invoice'))
    )
    op.execute(TO_BE_RECOGNIZED)
    op.execute(SHARES_STAY)
    op.execute(CLOSED_STAYS)
    op.execute(BY_STATEMENT)


def downgrade() -> None:
    raise NotImplementedError("a closed month cannot be opened")
