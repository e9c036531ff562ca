"""how frozen runs are priced since a person accepted what late readings make of them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('accepted_run',
    sa.Column('usage_session_id', sa.BigInteger(), nullable=False),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=True),
    sa.Column('energy_mwh', sa.BigInteger(), nullable=False),
    sa.Column('accepted_by', sa.Integer(), nullable=False),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['accepted_by'], ['person.id'], name=op.f('fk_accepted_run_accepted_by')),
    sa.ForeignKeyConstraint(['usage_session_id'], ['usage_session.id'], name=op.f('fk_accepted_run_usage_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('usage_session_id', name=op.f('pk_accepted_run'))
    )


def downgrade() -> None:
    raise NotImplementedError("what was accepted would be lost: go back with a backup")
