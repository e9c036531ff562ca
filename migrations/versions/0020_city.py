"""where firms are, and platforms that are cultivated before they are certified"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('organization', sa.Column('town', sa.String(length=80), nullable=True))
    op.add_column('organization', sa.Column('park', sa.String(length=80), nullable=True))
    op.drop_constraint(op.f('ck_recognition_recognitionlevel_word'), 'recognition')
    op.create_check_constraint(
        op.f('ck_recognition_recognitionlevel_word'), 'recognition',
        "level IN ('cultivated', 'quanzhou', 'provincial', 'national', 'national_innovation_centre')",
    )


def downgrade() -> None:
    raise NotImplementedError("what was recorded of firms and platforms would be lost: go back with a backup")
