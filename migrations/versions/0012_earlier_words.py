"""what people had said of charges that were derived anew"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

KINDS = (
    'hours', 'run', 'batch', 'sample', 'mass', 'length', 'energy', 'setup', 'material', 'labour', 'booking', 'urgent',
    'minimum_top_up', 'cancellation', 'no_show', 'service', 'adjustment',
)
STATES = ('proposed', 'disputed', 'approved', 'waived', 'invoiced')


def upgrade() -> None:
    op.create_table('earlier_word',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=True),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum(*KINDS, name='chargekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('state', sa.Enum(*STATES, name='chargestate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('gross_fen', sa.BigInteger(), nullable=False),
    sa.Column('priced_gross_fen', sa.BigInteger(), nullable=True),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('objection', sa.Text(), nullable=True),
    sa.Column('objected_by', sa.Integer(), nullable=True),
    sa.Column('served_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_earlier_word_equipment_id')),
    sa.ForeignKeyConstraint(['objected_by'], ['person.id'], name=op.f('fk_earlier_word_objected_by')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_earlier_word_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_earlier_word'))
    )
    op.create_index(op.f('ix_earlier_word_equipment_id'), 'earlier_word', ['equipment_id'])
    op.execute(
        """
        CREATE FUNCTION keep_word() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            open_dispute dispute;
        BEGIN
            SELECT * INTO open_dispute FROM dispute WHERE charge_id = OLD.id AND answered_at IS NULL;
            IF OLD.equipment_id IS NOT NULL
               AND (OLD.state = 'waived' OR OLD.priced_gross_fen IS NOT NULL OR open_dispute.id IS NOT NULL) THEN
                INSERT INTO earlier_word (reservation_id, equipment_id, organization_id, kind, state, gross_fen,
                                          priced_gross_fen, reason, objection, objected_by, served_at)
                VALUES ((OLD.inputs ->> 'reservation_id')::int, OLD.equipment_id, OLD.organization_id, OLD.kind,
                        OLD.state, OLD.gross_fen, OLD.priced_gross_fen, OLD.reason, open_dispute.objection,
                        open_dispute.raised_by, OLD.served_at);
            END IF;
            RETURN OLD;
        END $$;
        CREATE TRIGGER keep_word BEFORE DELETE ON charge FOR EACH ROW WHEN (OLD.use_settlement_id IS NOT NULL)
            EXECUTE FUNCTION keep_word();
        """
    )


def downgrade() -> None:
    raise NotImplementedError("what people said would be lost: go back with a backup")
