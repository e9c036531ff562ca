"""devices that share a connection, sign and switch; gaps, seals, alerts; use that a person entered or looked at"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

SEALED_ONCE = """
CREATE FUNCTION sealed_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.seal_id IS NOT NULL OR NEW.id <> OLD.id OR NEW.stored_at <> OLD.stored_at THEN
        RAISE EXCEPTION 'a batch of readings is sealed once and never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sealed_once BEFORE UPDATE OR DELETE ON reading_batch FOR EACH ROW EXECUTE FUNCTION sealed_once();
"""


def upgrade() -> None:
    op.create_table('seal',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('previous_id', sa.BigInteger(), nullable=True),
    sa.Column('previous_hash', sa.LargeBinary(), nullable=False),
    sa.Column('leaf_count', sa.BigInteger(), nullable=False),
    sa.Column('root', sa.LargeBinary(), nullable=False),
    sa.Column('sealed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('public_key', sa.LargeBinary(), nullable=False),
    sa.Column('signature', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['previous_id'], ['seal.id'], name=op.f('fk_seal_previous_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seal')),
    sa.UniqueConstraint('previous_id', name=op.f('uq_seal_previous_id'))
    )
    op.create_table('reading_batch',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('stored_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seal_id', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['seal_id'], ['seal.id'], name=op.f('fk_reading_batch_seal_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reading_batch'))
    )
    op.create_index(op.f('ix_reading_batch_seal_id'), 'reading_batch', ['seal_id'], unique=False)
    op.create_index('ix_reading_batch_unsealed', 'reading_batch', ['id'], unique=False, postgresql_where=sa.text('seal_id IS NULL'))
    op.create_table('device_key',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('public_key', sa.LargeBinary(), nullable=False),
    sa.Column('owner', sa.String(length=300), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('registered_by', sa.Integer(), nullable=True),
    sa.Column('registered_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('length(public_key) = 32', name=op.f('ck_device_key_ed25519')),
    sa.CheckConstraint('valid_until > valid_from', name=op.f('ck_device_key_valid')),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_device_key_meter_id')),
    sa.ForeignKeyConstraint(['registered_by'], ['person.id'], name=op.f('fk_device_key_registered_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device_key')),
    sa.UniqueConstraint('meter_id', 'name', name=op.f('uq_device_key_meter_id_name'))
    )
    op.create_table('meter_alert',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=True),
    sa.Column('kind', sa.Enum('silent', 'gap', 'clock_drift', 'unreadable', 'forged', 'dispute', 'counter', 'doubtful_session', 'late_change', 'unconfirmed_command', name='alertkind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('key', sa.String(length=300), nullable=False),
    sa.Column('facts', postgresql.JSONB(), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('state', sa.Enum('open', 'cleared', 'resolved', 'waived', name='alertstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('raised_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('settled_by', sa.Integer(), nullable=True),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.CheckConstraint("state NOT IN ('resolved', 'waived') OR (settled_by IS NOT NULL AND reason <> '')", name=op.f('ck_meter_alert_settled_by_whom')),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_meter_alert_meter_id')),
    sa.ForeignKeyConstraint(['settled_by'], ['person.id'], name=op.f('fk_meter_alert_settled_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_meter_alert'))
    )
    op.create_index(op.f('ix_meter_alert_meter_id_raised_at'), 'meter_alert', ['meter_id', 'raised_at'], unique=False)
    op.create_index('uq_meter_alert_open', 'meter_alert', ['meter_id', 'kind', 'key'], unique=True, postgresql_where=sa.text("state = 'open'"), postgresql_nulls_not_distinct=True)
    op.create_table('relay_state',
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('on', sa.Boolean(), nullable=False),
    sa.Column('reported_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_relay_state_meter_id')),
    sa.PrimaryKeyConstraint('meter_id', name=op.f('pk_relay_state'))
    )
    op.create_table('sequence_gap',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('boot', sa.BigInteger(), nullable=False),
    sa.Column('first', sa.BigInteger(), nullable=False),
    sa.Column('last', sa.BigInteger(), nullable=False),
    sa.Column('found_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('times_asked', sa.Integer(), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('last >= first', name=op.f('ck_sequence_gap_not_empty')),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_sequence_gap_meter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sequence_gap'))
    )
    op.create_index(op.f('ix_sequence_gap_meter_id_found_at'), 'sequence_gap', ['meter_id', 'found_at'], unique=False)
    op.create_index('ix_sequence_gap_open', 'sequence_gap', ['meter_id', 'boot'], unique=False, postgresql_where=sa.text('closed_at IS NULL'))
    op.create_table('wire_memory',
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('memory', postgresql.JSONB(), nullable=False),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_wire_memory_meter_id')),
    sa.PrimaryKeyConstraint('meter_id', name=op.f('pk_wire_memory'))
    )
    op.create_table('power_command',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('on', sa.Boolean(), nullable=False),
    sa.Column('cause', sa.Enum('checked_in', 'run_ended', 'override', 'fail_safe', name='powercause_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=True),
    sa.Column('asked_by', sa.Integer(), nullable=True),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("cause <> 'override' OR (asked_by IS NOT NULL AND reason <> '')", name=op.f('ck_power_command_override_by_whom')),
    sa.ForeignKeyConstraint(['asked_by'], ['person.id'], name=op.f('fk_power_command_asked_by')),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_power_command_meter_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_power_command_reservation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_power_command'))
    )
    op.create_index(op.f('ix_power_command_meter_id_asked_at'), 'power_command', ['meter_id', 'asked_at'], unique=False)
    op.create_index('ix_power_command_open', 'power_command', ['meter_id'], unique=False, postgresql_where=sa.text('confirmed_at IS NULL AND ended_at IS NULL'))
    op.add_column('late_change', sa.Column('cause', sa.String(40), server_default='late_readings', nullable=False))
    op.add_column('late_change', sa.Column('resolved_by', sa.Integer(), nullable=True))
    op.add_column('late_change', sa.Column('resolution', sa.String(length=300), server_default='', nullable=False))
    op.create_foreign_key(op.f('fk_late_change_resolved_by'), 'late_change', 'person', ['resolved_by'], ['id'])
    op.add_column('meter', sa.Column('carrier_id', sa.Integer(), nullable=True))
    op.add_column('meter', sa.Column('channel', sa.String(length=80), server_default='', nullable=False))
    op.add_column('meter', sa.Column('signed_only', sa.Boolean(), server_default='false', nullable=False))
    op.add_column('meter', sa.Column('interlocked', sa.Boolean(), server_default='false', nullable=False))
    op.add_column('meter', sa.Column('fail_safe', sa.String(40), server_default='stay', nullable=False))
    op.create_unique_constraint(op.f('uq_meter_carrier_id_channel'), 'meter', ['carrier_id', 'channel'])
    op.create_foreign_key(op.f('fk_meter_carrier_id'), 'meter', 'meter', ['carrier_id'], ['id'])
    op.add_column('meter_profile', sa.Column('valid_from', sa.DateTime(timezone=True), server_default='2000-01-01T00:00:00+00:00', nullable=False))
    op.add_column('meter_profile', sa.Column('spike_w', sa.Integer(), nullable=True))
    op.add_column('meter_profile', sa.Column('lead_s', sa.Integer(), server_default='0', nullable=False))
    op.add_column('meter_profile', sa.Column('post_s', sa.Integer(), server_default='0', nullable=False))
    op.add_column('meter_profile', sa.Column('counter_modulus_mwh', sa.BigInteger(), nullable=True))
    op.add_column('meter_profile', sa.Column('reason', sa.String(length=300), server_default='', nullable=False))
    op.add_column('meter_profile', sa.Column('made_by', sa.Integer(), nullable=True))
    op.create_foreign_key(op.f('fk_meter_profile_made_by'), 'meter_profile', 'person', ['made_by'], ['id'])
    op.add_column('usage_session', sa.Column('counted', sa.BigInteger(), nullable=True))
    op.add_column('usage_session', sa.Column('flags', postgresql.JSONB(), server_default='[]', nullable=False))
    op.add_column('usage_session', sa.Column('entered_by', sa.Integer(), nullable=True))
    op.add_column('usage_session', sa.Column('reason', sa.String(length=300), server_default='', nullable=False))
    op.add_column('usage_session', sa.Column('reviewed_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('usage_session', sa.Column('reviewed_by', sa.Integer(), nullable=True))
    op.alter_column('usage_session', 'meter_id', existing_type=sa.Integer(), nullable=True)
    op.alter_column('usage_session', 'profile_id', existing_type=sa.Integer(), nullable=True)
    op.create_foreign_key(op.f('fk_usage_session_reviewed_by'), 'usage_session', 'person', ['reviewed_by'], ['id'])
    op.create_foreign_key(op.f('fk_usage_session_entered_by'), 'usage_session', 'person', ['entered_by'], ['id'])
    check = op.create_check_constraint
    check(
        op.f('ck_late_change_latecause_word'), 'late_change',
        "cause IN ('late_readings', 'new_profile', 'other_reservation')",
    )
    check(op.f('ck_meter_failsafe_word'), 'meter', "fail_safe IN ('stay', 'on', 'off')")
    check(op.f('ck_meter_a_carried_one_has_a_channel'), 'meter', "carrier_id IS NULL OR channel <> ''")
    op.drop_constraint(op.f('ck_meter_dialect_word'), 'meter')
    check(
        op.f('ck_meter_dialect_word'), 'meter',
        "dialect IN ('native', 'tasmota', 'shelly', 'zigbee2mqtt', 'sparkplug')",
    )
    check(
        op.f('ck_meter_profile_limits'), 'meter_profile',
        "lead_s >= 0 AND post_s >= 0 AND counter_modulus_mwh > 0 AND spike_w > 0",
    )
    check(
        op.f('ck_usage_session_metered_by_a_meter'), 'usage_session',
        "evidence <> 'metered' OR num_nulls(meter_id, profile_id) = 0",
    )
    check(
        op.f('ck_usage_session_entered_by_whom'), 'usage_session',
        "evidence <> 'entered' OR (entered_by IS NOT NULL AND reason <> '')",
    )
    for table in ('notice', 'notice_choice'):
        op.drop_constraint(op.f(f'ck_{table}_noticekind_word'), table)
        check(
            op.f(f'ck_{table}_noticekind_word'), table,
            "kind IN ('reminder', 'reservation_changed', 'approval_wanted', 'decision', 'offer', 'conduct',"
            " 'qualification', 'service_request', 'metering')",
        )
    # What was stored before is one batch, the first to be sealed.
    op.execute(
        "INSERT INTO reading_batch (id, stored_at) SELECT nextval(pg_get_serial_sequence('reading_batch', 'id')), now()"
    )
    op.execute(
        "ALTER TABLE reading ADD COLUMN batch_id bigint NOT NULL DEFAULT 1, ADD COLUMN count bigint,"
        " ADD COLUMN key_id integer"
    )
    op.execute("ALTER TABLE reading ALTER COLUMN batch_id DROP DEFAULT")
    op.execute("CREATE INDEX reading_batch_id ON reading USING brin (batch_id) WITH (pages_per_range = 32)")
    op.execute("CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON seal FOR EACH ROW EXECUTE FUNCTION only_grows()")
    op.execute(SEALED_ONCE)


def downgrade() -> None:
    raise NotImplementedError("seals and what was reviewed since would be lost: go back with a backup")
