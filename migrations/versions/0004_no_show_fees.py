"""a charge may stand on a slot that was missed, and its revenue says so"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('charge', sa.Column('conduct_entry_id', sa.Integer(), nullable=True))
    op.create_foreign_key(op.f('fk_charge_conduct_entry_id'), 'charge', 'conduct_entry', ['conduct_entry_id'], ['id'])
    op.create_unique_constraint(op.f('uq_charge_conduct_entry_id'), 'charge', ['conduct_entry_id'])
    op.drop_constraint(op.f('ck_charge_chargekind_word'), 'charge')
    op.create_check_constraint(
        op.f('ck_charge_chargekind_word'), 'charge', "kind IN ('hours', 'setup', 'service', 'no_show')"
    )
    op.drop_constraint(op.f('ck_charge_one_origin'), 'charge')
    op.create_check_constraint(
        op.f('ck_charge_one_origin'), 'charge',
        "num_nonnulls(usage_session_id, quote_line_id, conduct_entry_id) = 1"
        " AND (quote_line_id IS NULL) = (service_request_id IS NULL)"
        " AND num_nulls(usage_session_id, session_fingerprint, tariff_id) IN (0, 3)"
        " AND (usage_session_id IS NULL OR equipment_id IS NOT NULL)",
    )
    for table in ('invoice_line', 'revenue_entry'):
        op.add_column(table, sa.Column('no_show_fee', sa.Boolean(), server_default='false', nullable=False))


def downgrade() -> None:
    raise NotImplementedError("charges of missed slots would be lost: go back with a backup")
