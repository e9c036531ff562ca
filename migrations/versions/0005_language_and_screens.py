"""a person has a language, and the address of a machine's screen can be renewed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('person', sa.Column('language', sa.String(40), server_default='zh_CN', nullable=False))
    op.create_check_constraint(op.f('ck_person_language_word'), 'person', "language IN ('zh_CN', 'en')")
    op.add_column('equipment', sa.Column('screen_version', sa.Integer(), server_default='1', nullable=False))


def downgrade() -> None:
    raise NotImplementedError("what people chose would be lost: go back with a backup")
