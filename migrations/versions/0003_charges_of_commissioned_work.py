"""a charge stands on a usage session or on a line of an accepted quote"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column, kind in (
        ('usage_session_id', sa.BigInteger()), ('session_fingerprint', sa.String(length=80)),
        ('equipment_id', sa.Integer()), ('tariff_id', sa.Integer()),
    ):
        op.alter_column('charge', column, existing_type=kind, nullable=True)
    op.add_column('charge', sa.Column('service_request_id', sa.Integer(), nullable=True))
    op.add_column('charge', sa.Column('quote_line_id', sa.Integer(), nullable=True))
    op.create_foreign_key(op.f('fk_charge_service_request_id'), 'charge', 'service_request', ['service_request_id'], ['id'])
    op.create_foreign_key(op.f('fk_charge_quote_line_id'), 'charge', 'quote_line', ['quote_line_id'], ['id'])
    op.create_unique_constraint(op.f('uq_charge_quote_line_id'), 'charge', ['quote_line_id'])
    op.create_index(op.f('ix_charge_service_request_id'), 'charge', ['service_request_id'], unique=False)
    op.drop_constraint(op.f('ck_charge_chargekind_word'), 'charge')
    op.create_check_constraint(op.f('ck_charge_chargekind_word'), 'charge', "kind IN ('hours', 'setup', 'service')")
    op.create_check_constraint(
        op.f('ck_charge_one_origin'), 'charge',
        "num_nonnulls(usage_session_id, quote_line_id) = 1"
        " AND (quote_line_id IS NULL) = (service_request_id IS NULL)"
        " AND num_nulls(usage_session_id, session_fingerprint, tariff_id) IN (0, 3)"
        " AND (usage_session_id IS NULL OR equipment_id IS NOT NULL)",
    )
    op.create_table('service_settlement',
    sa.Column('service_request_id', sa.Integer(), nullable=False),
    sa.Column('charges', sa.Integer(), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['service_request_id'], ['service_request.id'], name=op.f('fk_service_settlement_service_request_id')),
    sa.PrimaryKeyConstraint('service_request_id', name=op.f('pk_service_settlement'))
    )


def downgrade() -> None:
    raise NotImplementedError("charges of commissioned work would be lost: go back with a backup")
