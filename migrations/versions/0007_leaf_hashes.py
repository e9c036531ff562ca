"""the leaf hashes of seals, for short proofs and to name what was tampered with"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sealed_block',
    sa.Column('seal_id', sa.BigInteger(), nullable=False),
    sa.Column('first_leaf', sa.BigInteger(), nullable=False),
    sa.Column('batch_id', sa.BigInteger(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=False),
    sa.Column('root', sa.LargeBinary(), nullable=False),
    sa.Column('hashes', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['seal_id'], ['seal.id'], name=op.f('fk_sealed_block_seal_id'), initially='DEFERRED', deferrable=True),
    sa.PrimaryKeyConstraint('seal_id', 'first_leaf', name=op.f('pk_sealed_block'))
    )
    # Hashes do not compress: do not try.
    op.execute("ALTER TABLE sealed_block ALTER COLUMN hashes SET STORAGE EXTERNAL")
    op.execute(
        "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON sealed_block FOR EACH ROW EXECUTE FUNCTION only_grows()"
    )


def downgrade() -> None:
    op.drop_table('sealed_block')
