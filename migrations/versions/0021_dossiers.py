"""dossiers of claims that were written"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('dossier',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('long_work_id', sa.Integer(), nullable=False),
    sa.Column('file', sa.String(length=300), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('lines', sa.Integer(), nullable=False),
    sa.Column('readings', sa.BigInteger(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('bytes > 0 AND lines >= 0 AND readings >= 0', name=op.f('ck_dossier_counts')),
    sa.ForeignKeyConstraint(['long_work_id'], ['long_work.id'], name=op.f('fk_dossier_long_work_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_dossier_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dossier')),
    sa.UniqueConstraint('long_work_id', name=op.f('uq_dossier_long_work_id'))
    )
    op.create_index(op.f('ix_dossier_platform_id_year'), 'dossier', ['platform_id', 'year'], unique=False)


def downgrade() -> None:
    op.drop_table('dossier')
