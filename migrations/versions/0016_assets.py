"""what platforms bought"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('asset',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('no', sa.String(length=80), nullable=False),
    sa.Column('name', sa.String(length=300), nullable=False),
    sa.Column('kind', sa.String(length=80), nullable=False),
    sa.Column('accepted_on', sa.Date(), nullable=False),
    sa.Column('paid_on', sa.Date(), nullable=False),
    sa.Column('cost_fen', sa.BigInteger(), nullable=False),
    sa.Column('cost_includes_tax', sa.Boolean(), nullable=False),
    sa.Column('tax_rate', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('input_tax_creditable', sa.Boolean(), nullable=False),
    sa.Column('fiscal_fen', sa.BigInteger(), nullable=False),
    sa.Column('already_paid_under', sa.String(length=80), nullable=True),
    sa.Column('document', sa.String(length=300), nullable=False),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.Column('recorded_by', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("already_paid_under IN ('P1', 'P4')", name=op.f('ck_asset_known_programme')),
    sa.CheckConstraint("kind IN ('equipment', 'software', 'facility')", name=op.f('ck_asset_known_kind')),
    sa.CheckConstraint('cost_fen >= 0 AND fiscal_fen >= 0 AND fiscal_fen <= cost_fen', name=op.f('ck_asset_fiscal_within_cost')),
    sa.CheckConstraint('tax_rate >= 0 AND tax_rate < 1', name=op.f('ck_asset_sane_rate')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_asset_platform_id')),
    sa.ForeignKeyConstraint(['recorded_by'], ['person.id'], name=op.f('fk_asset_recorded_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_asset')),
    sa.UniqueConstraint('platform_id', 'no', name=op.f('uq_asset_platform_id_no'))
    )


def downgrade() -> None:
    raise NotImplementedError("the register would be lost: go back with a backup")
