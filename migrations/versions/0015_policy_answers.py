"""how the open questions of a policy are answered"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('policy_answer',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('policy', sa.String(length=80), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('value', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_policy_answer_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_policy_answer'))
    )
    op.create_index(op.f('ix_policy_answer_policy_key_id'), 'policy_answer', ['policy', 'key', 'id'])
    op.execute("CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON policy_answer FOR EACH ROW EXECUTE FUNCTION only_grows()")


def downgrade() -> None:
    raise NotImplementedError("how the policy was read would be lost: go back with a backup")
