"""what years came to, kept for the city's pages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Small, and enough to read one year's runs and not all of history: runs are stored nearly in the order of time.
    op.create_index(
        op.f('ix_usage_session_started_at'), 'usage_session', ['started_at'], unique=False, postgresql_using='brin'
    )
    op.create_table('platform_year',
    sa.Column('year', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('added_up_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('months_s', postgresql.ARRAY(sa.BigInteger()), nullable=False),
    sa.Column('week_us', postgresql.ARRAY(sa.BigInteger()), nullable=False),
    sa.CheckConstraint('cardinality(months_s) = 12 AND cardinality(week_us) = 168', name=op.f('ck_platform_year_whole_year_and_week')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_platform_year_platform_id')),
    sa.PrimaryKeyConstraint('year', 'platform_id', name=op.f('pk_platform_year'))
    )
    op.create_table('firm_year',
    sa.Column('year', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('orders', sa.Integer(), nullable=False),
    sa.Column('runs', sa.Integer(), nullable=False),
    sa.Column('served_s', sa.BigInteger(), nullable=False),
    sa.Column('revenue_fen', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_firm_year_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_firm_year_platform_id')),
    sa.PrimaryKeyConstraint('year', 'platform_id', 'organization_id', name=op.f('pk_firm_year'))
    )
    op.create_table('equipment_year',
    sa.Column('year', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('running_s', sa.BigInteger(), nullable=False),
    sa.Column('service_s', sa.BigInteger(), nullable=False),
    sa.Column('external_s', sa.BigInteger(), nullable=False),
    sa.Column('service_runs', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_equipment_year_equipment_id')),
    sa.PrimaryKeyConstraint('year', 'equipment_id', name=op.f('pk_equipment_year'))
    )


def downgrade() -> None:
    op.drop_table('equipment_year')
    op.drop_table('firm_year')
    op.drop_table('platform_year')
    op.drop_index(op.f('ix_usage_session_started_at'), table_name='usage_session')
