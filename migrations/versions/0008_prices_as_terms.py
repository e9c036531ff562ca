"""prices as terms; what each case of use was settled with; corrections and disputes of charges"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

KINDS = (
    'hours', 'run', 'batch', 'sample', 'mass', 'length', 'energy', 'setup', 'material', 'labour', 'booking', 'urgent',
    'minimum_top_up', 'cancellation', 'no_show', 'service', 'adjustment',
)
OLD_KINDS = ('hours', 'setup', 'service', 'no_show')
STATES = ('proposed', 'disputed', 'approved', 'waived', 'invoiced')
OLD_STATES = ('proposed', 'approved', 'invoiced')
EQUIPMENT_KINDS = ('instrument', 'line', 'test_bench', 'site', 'software_seat')


def upgrade() -> None:
    op.add_column('reservation', sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('reservation', sa.Column('withdrawn', sa.Boolean(), server_default='false', nullable=False))
    op.execute("DROP TRIGGER only_ends ON tariff")
    _tariffs()
    op.execute("CREATE TRIGGER only_ends BEFORE UPDATE ON tariff FOR EACH ROW EXECUTE FUNCTION tariff_only_ends()")
    _settlements()
    _charges()
    _words('charge', 'kind', 'chargekind', KINDS)
    _words('charge', 'state', 'chargestate', STATES)
    op.execute(
        """
        CREATE FUNCTION written_once() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% % is written once', TG_TABLE_NAME, OLD.id USING ERRCODE = 'restrict_violation';
        END $$;
        CREATE TRIGGER written_once BEFORE UPDATE ON use_settlement FOR EACH ROW EXECUTE FUNCTION written_once();
        """
    )
    op.execute(
        """
        CREATE FUNCTION settled_together() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM use_settlement WHERE id = OLD.use_settlement_id;
            RETURN NULL;
        END $$;
        CREATE TRIGGER settled_together AFTER DELETE ON settled_session
            FOR EACH ROW EXECUTE FUNCTION settled_together();
        """
    )
    op.drop_table('charge_problem')
    op.create_table('dispute',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('charge_id', sa.BigInteger(), nullable=False),
    sa.Column('raised_by', sa.Integer(), nullable=False),
    sa.Column('raised_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('objection', sa.Text(), nullable=False),
    sa.Column('answered_by', sa.Integer(), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('answer', sa.Text(), server_default='', nullable=False),
    sa.Column('upheld', sa.Boolean(), nullable=True),
    sa.CheckConstraint('num_nulls(answered_at, answered_by, upheld) IN (0, 3)', name=op.f('ck_dispute_answered_whole')),
    sa.ForeignKeyConstraint(['answered_by'], ['person.id'], name=op.f('fk_dispute_answered_by')),
    sa.ForeignKeyConstraint(['charge_id'], ['charge.id'], name=op.f('fk_dispute_charge_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['raised_by'], ['person.id'], name=op.f('fk_dispute_raised_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dispute'))
    )
    op.create_index(op.f('ix_dispute_charge_id'), 'dispute', ['charge_id'])
    op.create_index('ix_dispute_open', 'dispute', ['charge_id'], unique=True, postgresql_where=sa.text('answered_at IS NULL'))


def _tariffs() -> None:
    op.add_column('tariff', sa.Column('platform_id', sa.Integer(), nullable=True))
    op.add_column('tariff', sa.Column('equipment_kind', sa.String(length=40), nullable=True))
    op.add_column('tariff', sa.Column('organization_id', sa.Integer(), nullable=True))
    op.add_column('tariff', sa.Column('created_by', sa.Integer(), nullable=True))
    op.add_column('tariff', sa.Column('terms', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.execute(
        """
        UPDATE tariff SET
            platform_id = (SELECT platform_id FROM equipment WHERE equipment.id = tariff.equipment_id),
            terms = jsonb_build_object(
                'charge_mode', 'usage', 'unit', 'hour', 'rate', trim_scale(rate_yuan)::text,
                'setup_fee', (setup_fee / 100.0)::numeric(14, 2)::text,
                'minimum_charge', round(rate_yuan * minimum_hours, 2)::text,
                'increment_minutes', greatest(1, increment_s / 60), 'increment_rounding', 'up',
                'vat_rate', tax_rate::text, 'price_includes_vat', includes_tax
            )
        """
    )
    op.drop_constraint('one_price_at_a_time', 'tariff')
    for name in ('sane_price', 'sane_tax'):
        op.drop_constraint(op.f(f'ck_tariff_{name}'), 'tariff')
    for column in ('rate_yuan', 'setup_fee', 'minimum_hours', 'increment_s', 'tax_rate', 'includes_tax'):
        op.drop_column('tariff', column)
    op.alter_column('tariff', 'platform_id', nullable=False)
    op.alter_column('tariff', 'terms', nullable=False)
    op.alter_column('tariff', 'equipment_id', nullable=True)
    op.create_foreign_key(op.f('fk_tariff_platform_id'), 'tariff', 'platform', ['platform_id'], ['id'])
    op.create_foreign_key(op.f('fk_tariff_organization_id'), 'tariff', 'organization', ['organization_id'], ['id'])
    op.create_foreign_key(op.f('fk_tariff_created_by'), 'tariff', 'person', ['created_by'], ['id'])
    op.create_index(op.f('ix_tariff_equipment_id'), 'tariff', ['equipment_id'])
    kinds = ", ".join(f"'{kind}'" for kind in EQUIPMENT_KINDS)
    op.create_check_constraint(op.f('ck_tariff_equipmentkind_word'), 'tariff', f"equipment_kind IN ({kinds})")
    op.create_check_constraint(op.f('ck_tariff_one_subject'), 'tariff', 'num_nonnulls(equipment_id, equipment_kind) <= 1')
    op.create_check_constraint(op.f('ck_tariff_holds_some_day'), 'tariff', 'NOT isempty(days)')
    op.execute(
        """
        ALTER TABLE tariff ADD CONSTRAINT one_price_at_a_time EXCLUDE USING gist (
            platform_id WITH =, coalesce(equipment_id, 0) WITH =, coalesce(equipment_kind, '') WITH =,
            coalesce(organization_id, 0) WITH =, customer_class WITH =, days WITH &&
        )
        """
    )


def _settlements() -> None:
    op.create_table('use_settlement',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=True),
    sa.Column('usage_session_id', sa.BigInteger(), nullable=True),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=True),
    sa.Column('tariff_id', sa.Integer(), nullable=True),
    sa.Column('status', sa.Enum('priced', 'free', 'needs_review', 'refused', name='settlementstatus_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('reason', sa.String(length=80), nullable=False),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=18, scale=6), nullable=False),
    sa.Column('used_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('num_nonnulls(reservation_id, usage_session_id) = 1', name=op.f('ck_use_settlement_one_case')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_use_settlement_equipment_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_use_settlement_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_use_settlement_platform_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_use_settlement_reservation_id')),
    sa.ForeignKeyConstraint(['tariff_id'], ['tariff.id'], name=op.f('fk_use_settlement_tariff_id')),
    sa.ForeignKeyConstraint(['usage_session_id'], ['usage_session.id'], name=op.f('fk_use_settlement_usage_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_use_settlement')),
    sa.UniqueConstraint('reservation_id', 'sequence', name=op.f('uq_use_settlement_reservation_id_sequence')),
    sa.UniqueConstraint('usage_session_id', 'sequence', name=op.f('uq_use_settlement_usage_session_id_sequence'))
    )
    op.create_index('ix_use_settlement_waiting', 'use_settlement', ['platform_id'], postgresql_where=sa.text("status IN ('needs_review', 'refused')"))
    op.create_index(op.f('ix_use_settlement_tariff_id_organization_id_used_from'), 'use_settlement', ['tariff_id', 'organization_id', 'used_from'])
    op.create_table('settled_session',
    sa.Column('use_settlement_id', sa.BigInteger(), nullable=False),
    sa.Column('usage_session_id', sa.BigInteger(), nullable=False),
    sa.Column('session_fingerprint', sa.String(length=80), nullable=False),
    sa.Column('reviewed', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['usage_session_id'], ['usage_session.id'], name=op.f('fk_settled_session_usage_session_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['use_settlement_id'], ['use_settlement.id'], name=op.f('fk_settled_session_use_settlement_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('use_settlement_id', 'usage_session_id', name=op.f('pk_settled_session'))
    )
    op.create_index(op.f('ix_settled_session_usage_session_id'), 'settled_session', ['usage_session_id'])


def _charges() -> None:
    """What was charged by session becomes a settlement of one session; invoiced charges keep their ids."""
    op.execute("ALTER TABLE charge DISABLE TRIGGER stays_invoiced")
    op.add_column('charge', sa.Column('confirmed_by', sa.Integer(), nullable=True))
    op.add_column('charge', sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('charge', sa.Column('priced_gross_fen', sa.BigInteger(), nullable=True))
    op.add_column('charge', sa.Column('reason', sa.String(length=300), server_default='', nullable=False))
    op.create_foreign_key(op.f('fk_charge_confirmed_by'), 'charge', 'person', ['confirmed_by'], ['id'])
    op.add_column('charge', sa.Column('use_settlement_id', sa.BigInteger(), nullable=True))
    op.add_column('charge', sa.Column('position', sa.Integer(), nullable=True))
    op.add_column('charge', sa.Column('unit', sa.String(length=80), nullable=True))
    op.execute(
        """
        DELETE FROM charge WHERE usage_session_id IS NOT NULL AND state <> 'invoiced';
        INSERT INTO use_settlement (reservation_id, usage_session_id, sequence, platform_id, equipment_id,
                                    organization_id, tariff_id, status, reason, facts, quantity, used_from, settled_at)
        SELECT DISTINCT ON (coalesce(served.reservation_id, -served.id)) served.reservation_id,
               CASE WHEN served.reservation_id IS NULL THEN served.id END, 0, charge.platform_id, charge.equipment_id,
               charge.organization_id, charge.tariff_id, 'priced', '', '{"before": "settlements"}', 0,
               charge.served_at, charge.charged_at
        FROM charge JOIN usage_session AS served ON served.id = charge.usage_session_id
        ORDER BY coalesce(served.reservation_id, -served.id), charge.id;
        INSERT INTO settled_session
        SELECT DISTINCT use_settlement.id, charge.usage_session_id, charge.session_fingerprint, true
        FROM charge
        JOIN usage_session AS served ON served.id = charge.usage_session_id
        JOIN use_settlement ON use_settlement.reservation_id = served.reservation_id
                            OR use_settlement.usage_session_id = served.id;
        UPDATE charge SET use_settlement_id = placed.settlement, position = placed.position
        FROM (
            SELECT charge.id, settled_session.use_settlement_id AS settlement,
                   row_number() OVER (PARTITION BY settled_session.use_settlement_id ORDER BY charge.id) AS position
            FROM charge JOIN settled_session USING (usage_session_id)
        ) AS placed
        WHERE placed.id = charge.id;
        UPDATE charge SET unit = CASE kind WHEN 'hours' THEN 'h' WHEN 'setup' THEN '次' ELSE inputs ->> 'unit' END;
        """
    )
    op.alter_column('charge', 'unit', nullable=False)
    op.drop_constraint(op.f('ck_charge_one_origin'), 'charge')
    op.drop_constraint(op.f('uq_charge_usage_session_id_kind'), 'charge')
    op.drop_column('charge', 'session_fingerprint')
    op.create_check_constraint(
        op.f('ck_charge_one_origin'),
        'charge',
        "num_nonnulls(use_settlement_id, quote_line_id, conduct_entry_id) = 1"
        " AND (quote_line_id IS NULL) = (service_request_id IS NULL)"
        " AND num_nulls(use_settlement_id, position, tariff_id) IN (0, 3)"
        " AND (use_settlement_id IS NOT NULL OR usage_session_id IS NULL)"
        " AND (use_settlement_id IS NULL OR equipment_id IS NOT NULL)",
    )
    op.create_unique_constraint(op.f('uq_charge_use_settlement_id_position'), 'charge', ['use_settlement_id', 'position'])
    op.create_index(op.f('ix_charge_usage_session_id'), 'charge', ['usage_session_id'])
    op.create_foreign_key(op.f('fk_charge_use_settlement_id'), 'charge', 'use_settlement', ['use_settlement_id'], ['id'], ondelete='CASCADE')
    op.execute("ALTER TABLE charge ENABLE TRIGGER stays_invoiced")


def _words(table: str, column: str, name: str, words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f(f'ck_{table}_{name}_word'), table)
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(f'ck_{table}_{name}_word'), table, f"{column} IN ({listed})")


def downgrade() -> None:
    raise NotImplementedError("prices as terms say more than the columns before them could")
