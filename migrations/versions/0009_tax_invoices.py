"""tax invoices, red letters, payers and kept documents"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

TABLES = (
    'invoice_document', 'invoice_setting', 'buyer_detail', 'payer_agreement', 'invoice_share', 'tax_invoice',
    'red_request', 'red_request_line', 'red_letter',
)

GUARDS = """
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON invoice_document FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON invoice_share FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON red_request_line FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON red_letter FOR EACH ROW EXECUTE FUNCTION only_grows();

-- A number that was mistyped is withdrawn and recorded again; nothing else of it changes.
CREATE FUNCTION tax_invoice_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.withdrawn_at IS NOT NULL
       OR to_jsonb(NEW) - '{withdrawn_at,withdrawn_by}'::text[]
          IS DISTINCT FROM to_jsonb(OLD) - '{withdrawn_at,withdrawn_by}'::text[] THEN
        RAISE EXCEPTION 'tax invoice % can only be withdrawn', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON tax_invoice FOR EACH ROW EXECUTE FUNCTION tax_invoice_stays();

CREATE FUNCTION red_request_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moving text[] := '{state,confirmed_at,closed_at,closed_because,note_id}';
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR (OLD.state = 'confirmed' AND NEW.state = 'requested')
       OR (OLD.state = 'requested' AND NEW.state = 'issued')
       OR to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving THEN
        RAISE EXCEPTION 'red request % is not to be changed like this', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves BEFORE UPDATE OR DELETE ON red_request FOR EACH ROW EXECUTE FUNCTION red_request_moves();

-- Whatever credit notes took back of a line and open red requests hold of it never exceeds the line.
CREATE FUNCTION taken_back(line bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT -sum(gross_fen) FROM invoice_line WHERE credits_line_id = line), 0)
         + coalesce((SELECT sum(held.gross_fen) FROM red_request_line held JOIN red_request r ON r.id = held.red_request_id
                     WHERE held.invoice_line_id = line AND r.closed_at IS NULL), 0)
$$;
CREATE FUNCTION credit_stays_within() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line bigint := coalesce(to_jsonb(NEW) ->> 'credits_line_id', to_jsonb(NEW) ->> 'invoice_line_id')::bigint;
BEGIN
    IF taken_back(line) > (SELECT greatest(gross_fen, 0) FROM invoice_line WHERE id = line) THEN
        RAISE EXCEPTION 'more is taken back of invoice line % than it has', line USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER credit_stays_within AFTER INSERT ON invoice_line DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.credits_line_id IS NOT NULL) EXECUTE FUNCTION credit_stays_within();
CREATE CONSTRAINT TRIGGER credit_stays_within AFTER INSERT ON red_request_line DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION credit_stays_within();

-- On every day the payers of a firm make 100 percent and one of them takes the remainder.
CREATE FUNCTION payers_make_100() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    one payer_agreement := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT lower(days) AS day FROM payer_agreement
            WHERE platform_id = one.platform_id AND organization_id = one.organization_id
            UNION
            SELECT upper(days) FROM payer_agreement
            WHERE platform_id = one.platform_id AND organization_id = one.organization_id AND NOT upper_inf(days)
        ) AS edge JOIN payer_agreement AS part
            ON part.platform_id = one.platform_id AND part.organization_id = one.organization_id AND part.days @> edge.day
        GROUP BY edge.day HAVING sum(part.percent) <> 100 OR count(*) FILTER (WHERE part.takes_remainder) <> 1
    ) THEN
        RAISE EXCEPTION 'the payers of organization % do not make 100 percent', one.organization_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payers_make_100 AFTER INSERT OR UPDATE OR DELETE ON payer_agreement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payers_make_100();
"""


def upgrade() -> None:
    op.create_table('invoice_document',
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('told', sa.Text(), nullable=False),
    sa.Column('pdf', sa.LargeBinary(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_invoice_document_invoice_id')),
    sa.PrimaryKeyConstraint('invoice_id', name=op.f('pk_invoice_document'))
    )
    op.create_table('invoice_setting',
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('tax_kind', sa.Enum('special', 'ordinary', name='taxinvoicekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('includes_tax', sa.Boolean(), nullable=False),
    sa.Column('remark', sa.String(length=120), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_invoice_setting_platform_id')),
    sa.PrimaryKeyConstraint('platform_id', name=op.f('pk_invoice_setting'))
    )
    op.create_table('buyer_detail',
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('contract_no', sa.String(length=80), nullable=False),
    sa.Column('address', sa.String(length=100), nullable=False),
    sa.Column('phone', sa.String(length=60), nullable=False),
    sa.Column('bank', sa.String(length=100), nullable=False),
    sa.Column('account', sa.String(length=100), nullable=False),
    sa.Column('email', sa.String(length=72), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_buyer_detail_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_buyer_detail_platform_id')),
    sa.PrimaryKeyConstraint('platform_id', 'organization_id', name=op.f('pk_buyer_detail'))
    )
    op.create_table('payer_agreement',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('payer_id', sa.Integer(), nullable=False),
    sa.Column('percent', sa.Numeric(precision=7, scale=4), nullable=False),
    sa.Column('takes_remainder', sa.Boolean(), nullable=False),
    sa.Column('days', postgresql.DATERANGE(), nullable=False),
    sa.Column('set_by', sa.Integer(), nullable=False),
    sa.Column('set_at', sa.DateTime(timezone=True), nullable=False),
    postgresql.ExcludeConstraint((sa.column('platform_id'), '='), (sa.column('organization_id'), '='), (sa.column('payer_id'), '='), (sa.column('days'), '&&'), using='gist', name='once_at_a_time'),
    sa.CheckConstraint('NOT isempty(days) AND extract(day FROM lower(days)) = 1 AND (upper_inf(days) OR extract(day FROM upper(days)) = 1)', name=op.f('ck_payer_agreement_whole_months')),
    sa.CheckConstraint('percent > 0 AND percent <= 100', name=op.f('ck_payer_agreement_bears_something')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_payer_agreement_organization_id')),
    sa.ForeignKeyConstraint(['payer_id'], ['organization.id'], name=op.f('fk_payer_agreement_payer_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_payer_agreement_platform_id')),
    sa.ForeignKeyConstraint(['set_by'], ['person.id'], name=op.f('fk_payer_agreement_set_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payer_agreement'))
    )
    op.create_index(op.f('ix_payer_agreement_organization_id'), 'payer_agreement', ['organization_id'], unique=False)
    op.create_table('invoice_share',
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('payer_id', sa.Integer(), nullable=False),
    sa.Column('tax_rate', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('percent', sa.Numeric(precision=7, scale=4), nullable=False),
    sa.Column('takes_remainder', sa.Boolean(), nullable=False),
    sa.Column('net_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_fen', sa.BigInteger(), nullable=False),
    sa.Column('gross_fen', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('net_fen + tax_fen = gross_fen', name=op.f('ck_invoice_share_gross_is_net_plus_tax')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_invoice_share_invoice_id')),
    sa.ForeignKeyConstraint(['payer_id'], ['organization.id'], name=op.f('fk_invoice_share_payer_id')),
    sa.PrimaryKeyConstraint('invoice_id', 'payer_id', 'tax_rate', name=op.f('pk_invoice_share'))
    )
    op.create_index(op.f('ix_invoice_share_payer_id'), 'invoice_share', ['payer_id'], unique=False)
    op.create_table('tax_invoice',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('buyer_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('kind', sa.Enum('special', 'ordinary', name='taxinvoicekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=False),
    sa.Column('recorded_by', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('withdrawn_by', sa.Integer(), nullable=True),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("number ~ '^[0-9]{20}$'", name=op.f('ck_tax_invoice_twenty_digits')),
    sa.CheckConstraint('(withdrawn_at IS NULL) = (withdrawn_by IS NULL)', name=op.f('ck_tax_invoice_withdrawn_by_somebody')),
    sa.ForeignKeyConstraint(['buyer_id'], ['organization.id'], name=op.f('fk_tax_invoice_buyer_id')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_tax_invoice_invoice_id')),
    sa.ForeignKeyConstraint(['recorded_by'], ['person.id'], name=op.f('fk_tax_invoice_recorded_by')),
    sa.ForeignKeyConstraint(['withdrawn_by'], ['person.id'], name=op.f('fk_tax_invoice_withdrawn_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tax_invoice'))
    )
    op.create_index('uq_tax_invoice_number', 'tax_invoice', ['number'], unique=True, postgresql_where=sa.text('withdrawn_at IS NULL'))
    op.create_index('uq_tax_invoice_one_live', 'tax_invoice', ['invoice_id', 'buyer_id'], unique=True, postgresql_where=sa.text('withdrawn_at IS NULL'))
    op.create_table('red_request',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('reason', sa.Enum('01', '02', '03', '04', name='redreason_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('explanation', sa.String(length=300), nullable=False),
    sa.Column('state', sa.Enum('requested', 'confirmed', 'issued', 'refused', 'withdrawn', 'expired', name='redstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('asked_by', sa.Integer(), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirm_by', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_because', sa.String(length=300), nullable=False),
    sa.Column('note_id', sa.Integer(), nullable=True),
    sa.CheckConstraint("(state = 'issued') = (note_id IS NOT NULL)", name=op.f('ck_red_request_issued_with_its_note')),
    sa.CheckConstraint("(state IN ('requested', 'confirmed')) = (closed_at IS NULL)", name=op.f('ck_red_request_open_or_closed')),
    sa.CheckConstraint('confirmed_at IS NULL OR confirmed_at < confirm_by', name=op.f('ck_red_request_confirmed_in_time')),
    sa.ForeignKeyConstraint(['asked_by'], ['person.id'], name=op.f('fk_red_request_asked_by')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_red_request_invoice_id')),
    sa.ForeignKeyConstraint(['note_id'], ['invoice.id'], name=op.f('fk_red_request_note_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_red_request')),
    sa.UniqueConstraint('note_id', name=op.f('uq_red_request_note_id'))
    )
    op.create_index(op.f('ix_red_request_invoice_id'), 'red_request', ['invoice_id'], unique=False)
    op.create_index('ix_red_request_waiting', 'red_request', ['confirm_by'], unique=False, postgresql_where=sa.text("state = 'requested'"))
    op.create_table('red_request_line',
    sa.Column('red_request_id', sa.Integer(), nullable=False),
    sa.Column('invoice_line_id', sa.BigInteger(), nullable=False),
    sa.Column('gross_fen', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('gross_fen > 0', name=op.f('ck_red_request_line_takes_something_back')),
    sa.ForeignKeyConstraint(['invoice_line_id'], ['invoice_line.id'], name=op.f('fk_red_request_line_invoice_line_id')),
    sa.ForeignKeyConstraint(['red_request_id'], ['red_request.id'], name=op.f('fk_red_request_line_red_request_id')),
    sa.PrimaryKeyConstraint('red_request_id', 'invoice_line_id', name=op.f('pk_red_request_line'))
    )
    op.create_index(op.f('ix_red_request_line_invoice_line_id'), 'red_request_line', ['invoice_line_id'], unique=False)
    op.create_table('red_letter',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('red_request_id', sa.Integer(), nullable=False),
    sa.Column('tax_invoice_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=False),
    sa.Column('recorded_by', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("number ~ '^[0-9]{20}$'", name=op.f('ck_red_letter_twenty_digits')),
    sa.ForeignKeyConstraint(['recorded_by'], ['person.id'], name=op.f('fk_red_letter_recorded_by')),
    sa.ForeignKeyConstraint(['red_request_id'], ['red_request.id'], name=op.f('fk_red_letter_red_request_id')),
    sa.ForeignKeyConstraint(['tax_invoice_id'], ['tax_invoice.id'], name=op.f('fk_red_letter_tax_invoice_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_red_letter')),
    sa.UniqueConstraint('number', name=op.f('uq_red_letter_number')),
    sa.UniqueConstraint('red_request_id', 'tax_invoice_id', name=op.f('uq_red_letter_red_request_id_tax_invoice_id'))
    )
    op.create_index(op.f('ix_red_letter_tax_invoice_id'), 'red_letter', ['tax_invoice_id'], unique=False)
    # A PDF is packed already: do not try again.
    op.execute("ALTER TABLE invoice_document ALTER COLUMN pdf SET STORAGE EXTERNAL")
    op.execute(GUARDS)


def downgrade() -> None:
    op.execute("DROP TRIGGER credit_stays_within ON invoice_line")
    for table in reversed(TABLES):
        op.drop_table(table)
    for function in (
        "tax_invoice_stays", "red_request_moves", "credit_stays_within", "taken_back(bigint)", "payers_make_100",
    ):
        op.execute(f"DROP FUNCTION {function}")
