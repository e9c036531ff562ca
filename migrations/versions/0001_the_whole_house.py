"""the whole house"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table('organization',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=300), nullable=False),
    sa.Column('uscc', sa.String(length=80), nullable=True),
    sa.Column('region', sa.String(length=80), nullable=False),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('uscc IS NULL OR length(uscc) = 18', name=op.f('ck_organization_uscc_has_18_characters')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_organization')),
    sa.UniqueConstraint('name', name=op.f('uq_organization_name')),
    sa.UniqueConstraint('uscc', name=op.f('uq_organization_uscc'))
    )
    op.create_table('person',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('email', sa.String(length=300), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('password_hash', sa.String(length=300), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person'))
    )
    op.create_index('uq_person_email_lower', 'person', [sa.literal_column('lower(email)')], unique=True)
    op.create_table('audit_entry',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('deed', sa.String(length=80), nullable=False),
    sa.Column('subject', sa.String(length=80), nullable=False),
    sa.Column('subject_id', sa.Integer(), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_audit_entry_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry'))
    )
    op.create_index(op.f('ix_audit_entry_subject_subject_id_at'), 'audit_entry', ['subject', 'subject_id', 'at'], unique=False)
    op.create_table('membership',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('role', sa.Enum('firm_member', 'firm_manager', 'operator', 'operator_finance', 'official', 'administrator', name='role_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_membership_organization_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_membership_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_membership')),
    sa.UniqueConstraint('person_id', 'organization_id', 'role', name=op.f('uq_membership_person_id_organization_id_role'))
    )
    op.create_index(op.f('ix_membership_organization_id'), 'membership', ['organization_id'], unique=False)
    op.create_table('platform',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=80), nullable=False),
    sa.Column('name_zh', sa.String(length=300), nullable=False),
    sa.Column('name_en', sa.String(length=300), nullable=False),
    sa.Column('field', sa.String(length=80), nullable=False),
    sa.Column('host_id', sa.Integer(), nullable=False),
    sa.Column('annex_entries', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('operating_since', sa.Date(), nullable=True),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['host_id'], ['organization.id'], name=op.f('fk_platform_host_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_platform')),
    sa.UniqueConstraint('code', name=op.f('uq_platform_code'))
    )
    op.create_table('assessment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('policy', sa.String(length=80), nullable=False),
    sa.Column('settings', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('facts_digest', sa.String(length=80), nullable=False),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('assessed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_assessment_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assessment')),
    sa.UniqueConstraint('platform_id', 'facts_digest', name=op.f('uq_assessment_platform_id_facts_digest'))
    )
    op.create_table('equipment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=80), nullable=False),
    sa.Column('name_zh', sa.String(length=300), nullable=False),
    sa.Column('name_en', sa.String(length=300), nullable=False),
    sa.Column('kind', sa.Enum('instrument', 'line', 'test_bench', 'site', 'software_seat', name='equipmentkind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('kind_label', sa.String(length=80), nullable=False),
    sa.Column('location', sa.String(length=300), nullable=False),
    sa.Column('charge_unit', sa.Enum('hour', 'batch', 'sample', 'kilogram', 'metre', 'square_metre', name='chargeunit_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('rated_power_w', sa.Integer(), nullable=False),
    sa.Column('standby_power_w', sa.Integer(), nullable=False),
    sa.Column('original_value', sa.BigInteger(), nullable=False),
    sa.Column('benchmark_hours', sa.Integer(), nullable=False),
    sa.Column('modes', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('step_minutes', sa.Integer(), nullable=False),
    sa.Column('least_minutes', sa.Integer(), nullable=False),
    sa.Column('most_minutes', sa.Integer(), nullable=False),
    sa.Column('advance_days', sa.Integer(), nullable=False),
    sa.Column('setup_minutes', sa.Integer(), nullable=False),
    sa.Column('cleanup_minutes', sa.Integer(), nullable=False),
    sa.Column('bookable', sa.Boolean(), nullable=False),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('step_minutes > 0 AND least_minutes > 0', name=op.f('ck_equipment_positive_minutes')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_equipment_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_equipment')),
    sa.UniqueConstraint('code', name=op.f('uq_equipment_code'))
    )
    op.create_index(op.f('ix_equipment_platform_id'), 'equipment', ['platform_id'], unique=False)
    op.create_table('evaluation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('evaluated', sa.Boolean(), nullable=False),
    sa.Column('selected', sa.Boolean(), nullable=False),
    sa.Column('document', sa.String(length=300), nullable=False),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_evaluation_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluation')),
    sa.UniqueConstraint('platform_id', 'year', name=op.f('uq_evaluation_platform_id_year'))
    )
    op.create_table('filing',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('locked_on', sa.Date(), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_filing_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_filing')),
    sa.UniqueConstraint('platform_id', 'year', name=op.f('uq_filing_platform_id_year'))
    )
    op.create_table('invoice',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('seller_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('invoice', 'credit_note', name='invoicekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('credits_id', sa.Integer(), nullable=True),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('state', sa.Enum('draft', 'issued', 'paid', name='invoicestate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('year', sa.Integer(), nullable=True),
    sa.Column('number', sa.Integer(), nullable=True),
    sa.Column('issued_on', sa.Date(), nullable=True),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('issued_by', sa.Integer(), nullable=True),
    sa.Column('net_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_fen', sa.BigInteger(), nullable=False),
    sa.Column('gross_fen', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(kind = 'credit_note') = (credits_id IS NOT NULL)", name=op.f('ck_invoice_credit_note_names_invoice')),
    sa.CheckConstraint("(state = 'draft') = (number IS NULL) AND (state = 'draft') = (issued_on IS NULL)", name=op.f('ck_invoice_numbered_if_issued')),
    sa.CheckConstraint('net_fen + tax_fen = gross_fen', name=op.f('ck_invoice_gross_is_net_plus_tax')),
    sa.ForeignKeyConstraint(['credits_id'], ['invoice.id'], name=op.f('fk_invoice_credits_id')),
    sa.ForeignKeyConstraint(['issued_by'], ['person.id'], name=op.f('fk_invoice_issued_by')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_invoice_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_invoice_platform_id')),
    sa.ForeignKeyConstraint(['seller_id'], ['organization.id'], name=op.f('fk_invoice_seller_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invoice')),
    sa.UniqueConstraint('platform_id', 'year', 'number', name=op.f('uq_invoice_platform_id_year_number'))
    )
    op.create_index(op.f('ix_invoice_credits_id'), 'invoice', ['credits_id'], unique=False)
    op.create_index(op.f('ix_invoice_organization_id_issued_on'), 'invoice', ['organization_id', 'issued_on'], unique=False)
    op.create_index(op.f('ix_invoice_platform_id_issued_on'), 'invoice', ['platform_id', 'issued_on'], unique=False)
    op.create_index('uq_invoice_one_draft', 'invoice', ['platform_id', 'organization_id', 'month'], unique=True, postgresql_where=sa.text("state = 'draft' AND kind = 'invoice'"))
    op.create_table('invoice_counter',
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('last', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_invoice_counter_platform_id')),
    sa.PrimaryKeyConstraint('platform_id', 'year', name=op.f('pk_invoice_counter'))
    )
    op.create_table('platform_operator',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('days', postgresql.DATERANGE(), nullable=False),
    postgresql.ExcludeConstraint((sa.column('platform_id'), '='), (sa.column('days'), '&&'), using='gist', name='one_operator_at_a_time'),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_platform_operator_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_platform_operator_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_platform_operator'))
    )
    op.create_index(op.f('ix_platform_operator_organization_id'), 'platform_operator', ['organization_id'], unique=False)
    op.create_table('recognition',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('level', sa.Enum('quanzhou', 'provincial', 'national', 'national_innovation_centre', name='recognitionlevel_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('recognised_on', sa.Date(), nullable=False),
    sa.Column('newly', sa.Boolean(), nullable=False),
    sa.Column('document', sa.String(length=300), nullable=False),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_recognition_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recognition'))
    )
    op.create_index(op.f('ix_recognition_platform_id'), 'recognition', ['platform_id'], unique=False)
    op.create_table('related_party',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('since', sa.Date(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_related_party_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_related_party_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_related_party')),
    sa.UniqueConstraint('platform_id', 'organization_id', name=op.f('uq_related_party_platform_id_organization_id'))
    )
    op.create_table('meter',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=80), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('dialect', sa.Enum('native', 'tasmota', name='dialect_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('shard', sa.Integer(), nullable=False),
    sa.Column('credential_version', sa.Integer(), nullable=False),
    sa.Column('simulated', sa.Boolean(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_meter_equipment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_meter')),
    sa.UniqueConstraint('code', name=op.f('uq_meter_code'))
    )
    op.create_index(op.f('ix_meter_equipment_id'), 'meter', ['equipment_id'], unique=False)
    op.create_table('opening_hours',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('weekday', sa.Integer(), nullable=False),
    sa.Column('opens_minute', sa.Integer(), nullable=False),
    sa.Column('closes_minute', sa.Integer(), nullable=False),
    postgresql.ExcludeConstraint((sa.column('equipment_id'), '='), (sa.column('weekday'), '='), (sa.text('int4range(opens_minute, closes_minute)'), '&&'), using='gist', name='no_overlap'),
    sa.CheckConstraint('0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440', name=op.f('ck_opening_hours_minutes')),
    sa.CheckConstraint('weekday BETWEEN 0 AND 6', name=op.f('ck_opening_hours_weekday')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_opening_hours_equipment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_opening_hours'))
    )
    op.create_table('payment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('paid_on', sa.Date(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('reference', sa.String(length=300), nullable=False),
    sa.Column('recorded_by', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_payment_something_was_paid')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_payment_invoice_id')),
    sa.ForeignKeyConstraint(['recorded_by'], ['person.id'], name=op.f('fk_payment_recorded_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment'))
    )
    op.create_index(op.f('ix_payment_invoice_id'), 'payment', ['invoice_id'], unique=False)
    op.create_table('reservation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('unit', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('blocked', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('state', sa.Enum('booked', 'cancelled', name='reservationstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('idempotency_key', sa.String(length=80), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    postgresql.ExcludeConstraint((sa.column('equipment_id'), '='), (sa.column('unit'), '='), (sa.column('blocked'), '&&'), where=sa.text("state = 'booked'"), using='gist', name='no_double_booking'),
    sa.CheckConstraint('NOT isempty(during) AND during <@ blocked', name=op.f('ck_reservation_during_within_blocked')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_reservation_equipment_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_reservation_organization_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_reservation_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reservation')),
    sa.UniqueConstraint('organization_id', 'idempotency_key', name=op.f('uq_reservation_organization_id_idempotency_key'))
    )
    op.create_index(op.f('ix_reservation_organization_id'), 'reservation', ['organization_id', sa.literal_column('lower(during)')], unique=False)
    op.create_table('tariff',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('customer_class', sa.Enum('external', 'internal', name='customerclass_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('days', postgresql.DATERANGE(), nullable=False),
    sa.Column('rate_yuan', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('setup_fee', sa.BigInteger(), nullable=False),
    sa.Column('minimum_hours', sa.Numeric(precision=8, scale=4), nullable=False),
    sa.Column('increment_s', sa.Integer(), nullable=False),
    sa.Column('tax_rate', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('tax_code', sa.String(length=80), nullable=False),
    sa.Column('includes_tax', sa.Boolean(), nullable=False),
    sa.Column('category', sa.Enum('research_transfer', 'process_improvement', 'scale_up', 'type_test', 'performance_test', 'small_batch', 'instrument_sharing', 'data_simulation', 'contract_pilot_processing', 'consulting_training', 'data_information', 'tech_promotion', 'incubation', 'financing_matchmaking', 'tech_transfer_licence', 'equity_return', 'real_estate_rent', 'goods_sale', 'fiscal_grant', name='revenuecategory_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    postgresql.ExcludeConstraint((sa.column('equipment_id'), '='), (sa.column('customer_class'), '='), (sa.column('days'), '&&'), using='gist', name='one_price_at_a_time'),
    sa.CheckConstraint('rate_yuan >= 0 AND minimum_hours >= 0 AND increment_s > 0', name=op.f('ck_tariff_sane_price')),
    sa.CheckConstraint('tax_rate >= 0 AND tax_rate < 1', name=op.f('ck_tariff_sane_tax')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_tariff_equipment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tariff'))
    )
    op.create_table('dead_letter',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=True),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('reason', sa.String(length=80), nullable=False),
    sa.Column('detail', sa.String(length=300), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_dead_letter_meter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dead_letter'))
    )
    op.create_index(op.f('ix_dead_letter_received_at'), 'dead_letter', ['received_at'], unique=False)
    op.create_table('disputed_reading',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('boot', sa.BigInteger(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('content_hash', sa.LargeBinary(), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('power_mw', sa.BigInteger(), nullable=True),
    sa.Column('energy_mwh', sa.BigInteger(), nullable=True),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_disputed_reading_meter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_disputed_reading')),
    sa.UniqueConstraint('meter_id', 'boot', 'seq', 'content_hash', name=op.f('uq_disputed_reading_meter_id_boot_seq_content_hash'))
    )
    op.create_table('meter_profile',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('run_on_w', sa.Integer(), nullable=False),
    sa.Column('run_off_w', sa.Integer(), nullable=False),
    sa.Column('min_on_s', sa.Integer(), nullable=False),
    sa.Column('min_off_s', sa.Integer(), nullable=False),
    sa.Column('max_gap_s', sa.Integer(), nullable=False),
    sa.Column('rated_w', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('run_off_w <= run_on_w AND run_on_w > 0', name=op.f('ck_meter_profile_hysteresis')),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_meter_profile_meter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_meter_profile')),
    sa.UniqueConstraint('meter_id', 'version', name=op.f('uq_meter_profile_meter_id_version'))
    )
    op.create_table('metering_task',
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('dirty_from', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_metering_task_meter_id')),
    sa.PrimaryKeyConstraint('meter_id', name=op.f('pk_metering_task'))
    )
    op.create_table('received_sequence',
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('boot', sa.BigInteger(), nullable=False),
    sa.Column('numbers', postgresql.INT8MULTIRANGE(), nullable=False),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_received_sequence_meter_id')),
    sa.PrimaryKeyConstraint('meter_id', 'boot', name=op.f('pk_received_sequence'))
    )
    op.create_table('usage_session',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=True),
    sa.Column('organization_id', sa.Integer(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('open', sa.Boolean(), nullable=False),
    sa.Column('running_s', sa.Integer(), nullable=False),
    sa.Column('energy_mwh', sa.BigInteger(), nullable=False),
    sa.Column('energy_estimated', sa.Boolean(), nullable=False),
    sa.Column('gap_s', sa.Integer(), nullable=False),
    sa.Column('evidence', sa.Enum('metered', 'booked', 'entered', name='evidence_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('readings_count', sa.Integer(), nullable=False),
    sa.Column('readings_digest', sa.String(length=80), nullable=False),
    sa.Column('profile_id', sa.Integer(), nullable=False),
    sa.Column('rule_version', sa.Integer(), nullable=False),
    sa.Column('fingerprint', sa.String(length=80), nullable=False),
    sa.Column('derived_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('frozen_at', sa.DateTime(timezone=True), nullable=True),
    postgresql.ExcludeConstraint((sa.column('meter_id'), '='), (sa.column('during'), '&&'), using='gist', name='no_overlap_on_a_meter', deferrable=True, initially='DEFERRED'),
    sa.CheckConstraint('ended_at > started_at', name=op.f('ck_usage_session_ends_after_start')),
    sa.CheckConstraint('energy_mwh >= 0 AND running_s >= 0 AND gap_s >= 0', name=op.f('ck_usage_session_nothing_negative')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_usage_session_equipment_id')),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_usage_session_meter_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_usage_session_organization_id')),
    sa.ForeignKeyConstraint(['profile_id'], ['meter_profile.id'], name=op.f('fk_usage_session_profile_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_usage_session_reservation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_usage_session')),
    sa.UniqueConstraint('meter_id', 'started_at', deferrable=True, initially='DEFERRED', name=op.f('uq_usage_session_meter_id_started_at'))
    )
    op.create_index('ix_usage_session_ended', 'usage_session', ['ended_at'], unique=False, postgresql_where=sa.text('NOT open'))
    op.create_index(op.f('ix_usage_session_equipment_id_started_at'), 'usage_session', ['equipment_id', 'started_at'], unique=False)
    op.create_index(op.f('ix_usage_session_organization_id_started_at'), 'usage_session', ['organization_id', 'started_at'], unique=False)
    op.create_index(op.f('ix_usage_session_reservation_id'), 'usage_session', ['reservation_id'], unique=False)
    op.create_table('charge',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('usage_session_id', sa.BigInteger(), nullable=False),
    sa.Column('session_fingerprint', sa.String(length=80), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('tariff_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('hours', 'setup', name='chargekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('unit_price', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('net_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_fen', sa.BigInteger(), nullable=False),
    sa.Column('gross_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_rate', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('tax_code', sa.String(length=80), nullable=False),
    sa.Column('category', sa.Enum('research_transfer', 'process_improvement', 'scale_up', 'type_test', 'performance_test', 'small_batch', 'instrument_sharing', 'data_simulation', 'contract_pilot_processing', 'consulting_training', 'data_information', 'tech_promotion', 'incubation', 'financing_matchmaking', 'tech_transfer_licence', 'equity_return', 'real_estate_rent', 'goods_sale', 'fiscal_grant', name='revenuecategory_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('relation', sa.Enum('external', 'related_party', 'own_use', name='customerrelation_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('inputs', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('explanation_zh', sa.Text(), nullable=False),
    sa.Column('explanation_en', sa.Text(), nullable=False),
    sa.Column('served_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.Enum('proposed', 'approved', 'invoiced', name='chargestate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('approved_by', sa.Integer(), nullable=True),
    sa.Column('approved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('charged_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('net_fen + tax_fen = gross_fen', name=op.f('ck_charge_gross_is_net_plus_tax')),
    sa.ForeignKeyConstraint(['approved_by'], ['person.id'], name=op.f('fk_charge_approved_by')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_charge_equipment_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_charge_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_charge_platform_id')),
    sa.ForeignKeyConstraint(['tariff_id'], ['tariff.id'], name=op.f('fk_charge_tariff_id')),
    sa.ForeignKeyConstraint(['usage_session_id'], ['usage_session.id'], name=op.f('fk_charge_usage_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_charge')),
    sa.UniqueConstraint('usage_session_id', 'kind', name=op.f('uq_charge_usage_session_id_kind'))
    )
    op.create_index('ix_charge_open', 'charge', ['platform_id', 'organization_id'], unique=False, postgresql_where=sa.text("state <> 'invoiced'"))
    op.create_index(op.f('ix_charge_organization_id_served_at'), 'charge', ['organization_id', 'served_at'], unique=False)
    op.create_index(op.f('ix_charge_platform_id_served_at'), 'charge', ['platform_id', 'served_at'], unique=False)
    op.create_table('charge_problem',
    sa.Column('usage_session_id', sa.BigInteger(), nullable=False),
    sa.Column('session_fingerprint', sa.String(length=80), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(length=80), nullable=False),
    sa.Column('noted_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_charge_problem_platform_id')),
    sa.ForeignKeyConstraint(['usage_session_id'], ['usage_session.id'], name=op.f('fk_charge_problem_usage_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('usage_session_id', name=op.f('pk_charge_problem'))
    )
    op.create_index(op.f('ix_charge_problem_platform_id'), 'charge_problem', ['platform_id'], unique=False)
    op.create_table('late_change',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('meter_id', sa.Integer(), nullable=False),
    sa.Column('usage_session_id', sa.BigInteger(), nullable=True),
    sa.Column('fingerprint', sa.String(length=80), nullable=False),
    sa.Column('proposal', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('noted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['meter_id'], ['meter.id'], name=op.f('fk_late_change_meter_id')),
    sa.ForeignKeyConstraint(['usage_session_id'], ['usage_session.id'], name=op.f('fk_late_change_usage_session_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_late_change')),
    sa.UniqueConstraint('meter_id', 'fingerprint', name=op.f('uq_late_change_meter_id_fingerprint'))
    )
    op.create_index(op.f('ix_late_change_usage_session_id'), 'late_change', ['usage_session_id'], unique=False)
    op.create_table('invoice_line',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('charge_id', sa.BigInteger(), nullable=True),
    sa.Column('credits_line_id', sa.BigInteger(), nullable=True),
    sa.Column('description_zh', sa.String(length=300), nullable=False),
    sa.Column('description_en', sa.String(length=300), nullable=False),
    sa.Column('explanation_zh', sa.Text(), nullable=False),
    sa.Column('explanation_en', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('unit', sa.String(length=80), nullable=False),
    sa.Column('unit_price', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('net_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_fen', sa.BigInteger(), nullable=False),
    sa.Column('gross_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_rate', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('tax_code', sa.String(length=80), nullable=False),
    sa.Column('category', sa.Enum('research_transfer', 'process_improvement', 'scale_up', 'type_test', 'performance_test', 'small_batch', 'instrument_sharing', 'data_simulation', 'contract_pilot_processing', 'consulting_training', 'data_information', 'tech_promotion', 'incubation', 'financing_matchmaking', 'tech_transfer_licence', 'equity_return', 'real_estate_rent', 'goods_sale', 'fiscal_grant', name='revenuecategory_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('relation', sa.Enum('external', 'related_party', 'own_use', name='customerrelation_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('served_on', sa.Date(), nullable=False),
    sa.CheckConstraint('(charge_id IS NULL) <> (credits_line_id IS NULL)', name=op.f('ck_invoice_line_charge_or_credit')),
    sa.CheckConstraint('net_fen + tax_fen = gross_fen', name=op.f('ck_invoice_line_gross_is_net_plus_tax')),
    sa.ForeignKeyConstraint(['charge_id'], ['charge.id'], name=op.f('fk_invoice_line_charge_id')),
    sa.ForeignKeyConstraint(['credits_line_id'], ['invoice_line.id'], name=op.f('fk_invoice_line_credits_line_id')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_invoice_line_invoice_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invoice_line')),
    sa.UniqueConstraint('charge_id', name=op.f('uq_invoice_line_charge_id')),
    sa.UniqueConstraint('invoice_id', 'position', name=op.f('uq_invoice_line_invoice_id_position'))
    )
    op.create_index(op.f('ix_invoice_line_credits_line_id'), 'invoice_line', ['credits_line_id'], unique=False)
    op.create_table('revenue_entry',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('invoice_line_id', sa.BigInteger(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('invoiced_on', sa.Date(), nullable=False),
    sa.Column('served_on', sa.Date(), nullable=False),
    sa.Column('category', sa.Enum('research_transfer', 'process_improvement', 'scale_up', 'type_test', 'performance_test', 'small_batch', 'instrument_sharing', 'data_simulation', 'contract_pilot_processing', 'consulting_training', 'data_information', 'tech_promotion', 'incubation', 'financing_matchmaking', 'tech_transfer_licence', 'equity_return', 'real_estate_rent', 'goods_sale', 'fiscal_grant', name='revenuecategory_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('relation', sa.Enum('external', 'related_party', 'own_use', name='customerrelation_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('region', sa.String(length=80), nullable=False),
    sa.Column('net_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_fen', sa.BigInteger(), nullable=False),
    sa.Column('tax_rate', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('recognized_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['invoice_line_id'], ['invoice_line.id'], name=op.f('fk_revenue_entry_invoice_line_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_revenue_entry_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_revenue_entry')),
    sa.UniqueConstraint('invoice_line_id', name=op.f('uq_revenue_entry_invoice_line_id'))
    )
    op.create_index(op.f('ix_revenue_entry_platform_id_invoiced_on'), 'revenue_entry', ['platform_id', 'invoiced_on'], unique=False)
    op.execute(READINGS)
    op.execute(GUARDS)


READINGS = """
CREATE TABLE raw_message (
    id bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL,
    meter_id integer NOT NULL,
    topic text NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);

-- A device that counts is keyed by (meter, boot, seq); received_sequence guards that. Others have
-- boot = seq = 0 and are keyed by what they said and when. One index serves both, and reading by time.
CREATE TABLE reading (
    meter_id integer NOT NULL,
    taken_at timestamptz NOT NULL,
    boot bigint NOT NULL,
    seq bigint NOT NULL,
    content_hash bytea NOT NULL,
    received_at timestamptz NOT NULL,
    message_id bigint NOT NULL,
    power_mw bigint,
    energy_mwh bigint,
    running boolean,
    backfill boolean NOT NULL DEFAULT false,
    PRIMARY KEY (meter_id, taken_at, boot, seq, content_hash)
) PARTITION BY RANGE (taken_at);

-- Makes the month's partition of one of the two tables, once, whoever asks first.
CREATE FUNCTION make_month(parent text, day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', day);
    child text := parent || '_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(child) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('make_month'), hashtext(child));
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            child, parent, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC'
        );
    END IF;
END $$;
"""

GUARDS = """
CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON reading FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON raw_message FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON dead_letter FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON disputed_reading FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON revenue_entry FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON payment FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION only_grows();

CREATE FUNCTION session_stays_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.frozen_at IS NOT NULL THEN
        RAISE EXCEPTION 'usage session % stands behind an issued invoice', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER stays_frozen BEFORE UPDATE OR DELETE ON usage_session
    FOR EACH ROW EXECUTE FUNCTION session_stays_frozen();

CREATE FUNCTION charge_stays_invoiced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'invoiced' THEN
        RAISE EXCEPTION 'charge % is on an issued invoice', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER stays_invoiced BEFORE UPDATE OR DELETE ON charge FOR EACH ROW EXECUTE FUNCTION charge_stays_invoiced();

CREATE FUNCTION invoice_stays_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft'
       AND (TG_OP = 'DELETE' OR NEW.state NOT IN ('issued', 'paid')
            OR to_jsonb(NEW) - 'state' IS DISTINCT FROM to_jsonb(OLD) - 'state') THEN
        RAISE EXCEPTION 'invoice % is issued', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER stays_issued BEFORE UPDATE OR DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_stays_issued();

CREATE FUNCTION line_stays_issued() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line invoice_line := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF EXISTS (SELECT FROM invoice WHERE id IN (line.invoice_id, OLD.invoice_id) AND state <> 'draft') THEN
        RAISE EXCEPTION 'invoice % is issued', line.invoice_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN line;
END $$;
CREATE TRIGGER stays_issued BEFORE INSERT OR UPDATE OR DELETE ON invoice_line
    FOR EACH ROW EXECUTE FUNCTION line_stays_issued();

-- A price version only ever gets an end; a new price is a new version.
CREATE FUNCTION tariff_only_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'days' IS DISTINCT FROM to_jsonb(OLD) - 'days' OR lower(NEW.days) <> lower(OLD.days) THEN
        RAISE EXCEPTION 'tariff % can only get an end date', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_ends BEFORE UPDATE ON tariff FOR EACH ROW EXECUTE FUNCTION tariff_only_ends();
"""


def downgrade() -> None:
    for function in (
        "only_grows", "session_stays_frozen", "charge_stays_invoiced", "invoice_stays_issued", "line_stays_issued",
        "tariff_only_ends", "make_month",
    ):
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("DROP TABLE reading")
    op.execute("DROP TABLE raw_message")
    op.drop_index(op.f('ix_revenue_entry_platform_id_invoiced_on'), table_name='revenue_entry')
    op.drop_table('revenue_entry')
    op.drop_index(op.f('ix_invoice_line_credits_line_id'), table_name='invoice_line')
    op.drop_table('invoice_line')
    op.drop_table('late_change')
    op.drop_index(op.f('ix_charge_problem_platform_id'), table_name='charge_problem')
    op.drop_table('charge_problem')
    op.drop_index(op.f('ix_charge_platform_id_served_at'), table_name='charge')
    op.drop_index(op.f('ix_charge_organization_id_served_at'), table_name='charge')
    op.drop_index('ix_charge_open', table_name='charge', postgresql_where=sa.text("state <> 'invoiced'"))
    op.drop_table('charge')
    op.drop_index(op.f('ix_usage_session_reservation_id'), table_name='usage_session')
    op.drop_index(op.f('ix_usage_session_organization_id_started_at'), table_name='usage_session')
    op.drop_index(op.f('ix_usage_session_equipment_id_started_at'), table_name='usage_session')
    op.drop_index('ix_usage_session_ended', table_name='usage_session', postgresql_where=sa.text('NOT open'))
    op.drop_table('usage_session')
    op.drop_table('received_sequence')
    op.drop_table('metering_task')
    op.drop_table('meter_profile')
    op.drop_table('disputed_reading')
    op.drop_index(op.f('ix_dead_letter_received_at'), table_name='dead_letter')
    op.drop_table('dead_letter')
    op.drop_table('tariff')
    op.drop_index(op.f('ix_reservation_organization_id'), table_name='reservation')
    op.drop_table('reservation')
    op.drop_index(op.f('ix_payment_invoice_id'), table_name='payment')
    op.drop_table('payment')
    op.drop_table('opening_hours')
    op.drop_index(op.f('ix_meter_equipment_id'), table_name='meter')
    op.drop_table('meter')
    op.drop_table('related_party')
    op.drop_index(op.f('ix_recognition_platform_id'), table_name='recognition')
    op.drop_table('recognition')
    op.drop_index(op.f('ix_platform_operator_organization_id'), table_name='platform_operator')
    op.drop_table('platform_operator')
    op.drop_table('invoice_counter')
    op.drop_index('uq_invoice_one_draft', table_name='invoice', postgresql_where=sa.text("state = 'draft' AND kind = 'invoice'"))
    op.drop_index(op.f('ix_invoice_platform_id_issued_on'), table_name='invoice')
    op.drop_index(op.f('ix_invoice_organization_id_issued_on'), table_name='invoice')
    op.drop_index(op.f('ix_invoice_credits_id'), table_name='invoice')
    op.drop_table('invoice')
    op.drop_table('filing')
    op.drop_table('evaluation')
    op.drop_index(op.f('ix_equipment_platform_id'), table_name='equipment')
    op.drop_table('equipment')
    op.drop_table('assessment')
    op.drop_table('platform')
    op.drop_index(op.f('ix_membership_organization_id'), table_name='membership')
    op.drop_table('membership')
    op.drop_index(op.f('ix_audit_entry_subject_subject_id_at'), table_name='audit_entry')
    op.drop_table('audit_entry')
    op.drop_index('uq_person_email_lower', table_name='person')
    op.drop_table('person')
    op.drop_table('organization')
