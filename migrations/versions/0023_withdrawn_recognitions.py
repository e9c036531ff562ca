"""a recognition that was recorded by mistake is withdrawn"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('recognition', sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('recognition', sa.Column('withdrawn_reason', sa.String(length=300), server_default='', nullable=False))
    op.create_check_constraint(
        op.f('ck_recognition_withdrawn_with_a_reason'), 'recognition', "(withdrawn_at IS NULL) = (withdrawn_reason = '')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f('ck_recognition_withdrawn_with_a_reason'), 'recognition')
    op.drop_column('recognition', 'withdrawn_reason')
    op.drop_column('recognition', 'withdrawn_at')
