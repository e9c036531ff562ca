"""what waits to be charged"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

# Whoever ends or changes a session, or takes its settlement back, has it looked at again. Nobody waits for whoever
# charges meanwhile: each note is a row of its own.
NOTED = """
CREATE FUNCTION session_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO uncharged_session (platform_id, usage_session_id)
    SELECT platform_id, NEW.id FROM equipment WHERE id = NEW.equipment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER ended_is_charged AFTER INSERT ON usage_session FOR EACH ROW
    WHEN (NOT NEW.open) EXECUTE FUNCTION session_waits();
CREATE TRIGGER changed_is_charged AFTER UPDATE OF open, fingerprint, reviewed_at ON usage_session FOR EACH ROW
    WHEN (NOT NEW.open AND (OLD.open OR NEW.fingerprint IS DISTINCT FROM OLD.fingerprint
                            OR NEW.reviewed_at IS DISTINCT FROM OLD.reviewed_at))
    EXECUTE FUNCTION session_waits();

CREATE FUNCTION unsettled_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO uncharged_session (platform_id, usage_session_id)
    SELECT equipment.platform_id, usage_session.id
    FROM gone
    JOIN usage_session ON usage_session.id = gone.usage_session_id AND NOT usage_session.open
    JOIN equipment ON equipment.id = usage_session.equipment_id
    ORDER BY usage_session.ended_at, usage_session.id;
    RETURN NULL;
END $$;
CREATE TRIGGER taken_back_is_charged AFTER DELETE ON settled_session
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION unsettled_waits();

-- Steps of a price count through a firm's month: what stood on use that is gone is settled anew, unless it is invoiced.
CREATE FUNCTION count_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM gone WHERE quantity > 0) THEN
        RETURN NULL;  -- it calls itself, to the last one
    END IF;
    DELETE FROM use_settlement AS later USING gone
    WHERE gone.quantity > 0 AND later.tariff_id = gone.tariff_id AND later.organization_id = gone.organization_id
      AND later.used_from >= gone.used_from
      AND (later.used_from, coalesce(later.reservation_id, 0), coalesce(later.usage_session_id, 0))
          > (gone.used_from, coalesce(gone.reservation_id, 0), coalesce(gone.usage_session_id, 0))
      AND later.used_from < timezone('Asia/Shanghai',
          date_trunc('month', timezone('Asia/Shanghai', gone.used_from)) + interval '1 month')
      AND EXISTS (SELECT FROM settled_session WHERE use_settlement_id = later.id)
      AND NOT EXISTS (SELECT FROM charge WHERE use_settlement_id = later.id AND state = 'invoiced');
    RETURN NULL;
END $$;
CREATE TRIGGER count_follows AFTER DELETE ON use_settlement
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_follows();

INSERT INTO uncharged_session (platform_id, usage_session_id)
SELECT equipment.platform_id, usage_session.id
FROM usage_session
JOIN equipment ON equipment.id = usage_session.equipment_id
WHERE NOT usage_session.open AND NOT EXISTS (
    SELECT FROM settled_session JOIN use_settlement ON use_settlement.id = use_settlement_id
    WHERE settled_session.usage_session_id = usage_session.id AND session_fingerprint = fingerprint
      AND (use_settlement.reason <> 'needs_review' OR reviewed OR reviewed_at IS NULL)
)
ORDER BY usage_session.ended_at, usage_session.id;
INSERT INTO fee_settlement (conduct_entry_id, platform_id, settled_at)
SELECT conduct_entry_id, platform_id, charged_at FROM charge WHERE conduct_entry_id IS NOT NULL;
"""


def upgrade() -> None:
    op.create_table('uncharged_session',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('usage_session_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_uncharged_session_platform_id')),
    sa.ForeignKeyConstraint(['usage_session_id'], ['usage_session.id'], name=op.f('fk_uncharged_session_usage_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_uncharged_session'))
    )
    op.create_index(op.f('ix_uncharged_session_platform_id_id'), 'uncharged_session', ['platform_id', 'id'], unique=False)
    op.create_index(op.f('ix_uncharged_session_usage_session_id'), 'uncharged_session', ['usage_session_id'], unique=False)
    op.create_table('fee_settlement',
    sa.Column('conduct_entry_id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('reason', sa.Enum('not_yet', 'own_use', 'no_tariff', 'priced', name='nofee_word', native_enum=False, create_constraint=True, length=40), nullable=True),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['conduct_entry_id'], ['conduct_entry.id'], name=op.f('fk_fee_settlement_conduct_entry_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_fee_settlement_platform_id')),
    sa.PrimaryKeyConstraint('conduct_entry_id', name=op.f('pk_fee_settlement'))
    )
    op.create_index(op.f('ix_fee_settlement_platform_id'), 'fee_settlement', ['platform_id'], unique=False)
    op.create_index(op.f('ix_use_settlement_tariff_id_used_from'), 'use_settlement', ['tariff_id', 'used_from'], unique=False)
    op.create_index(op.f('ix_invoice_issued_on_id'), 'invoice', ['issued_on', 'id'], unique=False)
    op.execute(NOTED)


def downgrade() -> None:
    raise NotImplementedError("the rule that asks for them knows no list: go back with a backup")
