"""booking in depth: pools, parts, series, approval, waitlist, conduct, commissioned work, notices"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute('ALTER TABLE reservation DROP CONSTRAINT no_double_booking')  # it moves to what is held
    op.create_table('special_day',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('kind', sa.Enum('holiday', 'workday', name='daykind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('follows', sa.Integer(), nullable=True),
    sa.Column('source', sa.String(length=300), nullable=False),
    sa.PrimaryKeyConstraint('day', name=op.f('pk_special_day'))
    )
    op.create_table('notice',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('reminder', 'reservation_changed', 'approval_wanted', 'decision', 'offer', 'conduct', 'qualification', 'service_request', name='noticekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('key', sa.String(length=300), nullable=False),
    sa.Column('sentence', sa.String(length=300), nullable=False),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('path', sa.String(length=300), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('shown', sa.Boolean(), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('mail', sa.Enum('unwanted', 'waiting', 'sent', 'failed', name='mailstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('mail_error', sa.String(length=300), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_notice_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice')),
    sa.UniqueConstraint('person_id', 'key', name=op.f('uq_notice_person_id_key'))
    )
    op.create_index(op.f('ix_notice_person_id_created_at'), 'notice', ['person_id', 'created_at'], unique=False)
    op.create_index('ix_notice_to_send', 'notice', ['next_try_at'], unique=False, postgresql_where=sa.text("mail = 'waiting'"))
    op.create_table('notice_choice',
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('reminder', 'reservation_changed', 'approval_wanted', 'decision', 'offer', 'conduct', 'qualification', 'service_request', name='noticekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('in_page', sa.Boolean(), nullable=False),
    sa.Column('by_mail', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_notice_choice_person_id')),
    sa.PrimaryKeyConstraint('person_id', 'kind', name=op.f('pk_notice_choice'))
    )
    op.create_table('accessory',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('name_zh', sa.String(length=300), nullable=False),
    sa.Column('name_en', sa.String(length=300), nullable=False),
    sa.Column('stock', sa.Integer(), nullable=True),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.CheckConstraint('stock >= 0', name=op.f('ck_accessory_stock_not_negative')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_accessory_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_accessory'))
    )
    op.create_index(op.f('ix_accessory_platform_id'), 'accessory', ['platform_id'], unique=False)
    op.create_table('conduct',
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('grace_minutes', sa.Integer(), nullable=False),
    sa.Column('late_cancel_hours', sa.Integer(), nullable=False),
    sa.Column('warnings', sa.Integer(), nullable=False),
    sa.Column('fee_from', sa.Integer(), nullable=False),
    sa.Column('fee', sa.BigInteger(), nullable=False),
    sa.Column('block_from', sa.Integer(), nullable=False),
    sa.Column('block_days', sa.Integer(), nullable=False),
    sa.Column('counted_days', sa.Integer(), nullable=False),
    sa.Column('delay_hours', sa.Integer(), nullable=False),
    sa.Column('base_score', sa.Integer(), nullable=False),
    sa.Column('points', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_conduct_platform_id')),
    sa.PrimaryKeyConstraint('platform_id', name=op.f('pk_conduct'))
    )
    op.create_table('requirement',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('training', 'examination', 'authorisation', 'safety_document', 'environmental_document', 'confidentiality_agreement', name='requirementkind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('name_zh', sa.String(length=300), nullable=False),
    sa.Column('name_en', sa.String(length=300), nullable=False),
    sa.Column('how_zh', sa.String(length=300), nullable=False),
    sa.Column('how_en', sa.String(length=300), nullable=False),
    sa.Column('months_valid', sa.Integer(), nullable=True),
    sa.Column('illustrative', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_requirement_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_requirement'))
    )
    op.create_index(op.f('ix_requirement_platform_id'), 'requirement', ['platform_id'], unique=False)
    op.create_table('calendar_feed',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('scope', sa.Enum('person', 'equipment', 'platform', name='feedscope_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=True),
    sa.Column('platform_id', sa.Integer(), nullable=True),
    sa.Column('token_digest', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(scope = 'equipment') = (equipment_id IS NOT NULL) AND (scope = 'platform') = (platform_id IS NOT NULL)", name=op.f('ck_calendar_feed_subject_fits_scope')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_calendar_feed_equipment_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_calendar_feed_person_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_calendar_feed_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calendar_feed')),
    sa.UniqueConstraint('token_digest', name=op.f('uq_calendar_feed_token_digest'))
    )
    op.create_index(op.f('ix_calendar_feed_person_id'), 'calendar_feed', ['person_id'], unique=False)
    op.create_table('class_terms',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('customer_class', sa.Enum('external', 'internal', name='customerclass_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('step_minutes', sa.Integer(), nullable=True),
    sa.Column('least_minutes', sa.Integer(), nullable=True),
    sa.Column('most_minutes', sa.Integer(), nullable=True),
    sa.Column('advance_days', sa.Integer(), nullable=True),
    sa.Column('notice_minutes', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_class_terms_equipment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_class_terms')),
    sa.UniqueConstraint('equipment_id', 'customer_class', name=op.f('uq_class_terms_equipment_id_customer_class'))
    )
    op.create_table('closure',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=True),
    sa.Column('equipment_id', sa.Integer(), nullable=True),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('kind', sa.Enum('closed', 'maintenance', name='closurekind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('num_nonnulls(platform_id, equipment_id) = 1', name=op.f('ck_closure_one_subject')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_closure_equipment_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_closure_person_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_closure_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_closure'))
    )
    op.create_index(op.f('ix_closure_equipment_id_during'), 'closure', ['equipment_id', 'during'], unique=False, postgresql_using='gist')
    op.create_index(op.f('ix_closure_platform_id_during'), 'closure', ['platform_id', 'during'], unique=False, postgresql_using='gist')
    op.create_table('equipment_part',
    sa.Column('whole_id', sa.Integer(), nullable=False),
    sa.Column('part_id', sa.Integer(), nullable=False),
    sa.CheckConstraint('whole_id <> part_id', name=op.f('ck_equipment_part_no_part_of_itself')),
    sa.ForeignKeyConstraint(['part_id'], ['equipment.id'], name=op.f('fk_equipment_part_part_id')),
    sa.ForeignKeyConstraint(['whole_id'], ['equipment.id'], name=op.f('fk_equipment_part_whole_id')),
    sa.PrimaryKeyConstraint('whole_id', 'part_id', name=op.f('pk_equipment_part'))
    )
    op.create_index(op.f('ix_equipment_part_part_id'), 'equipment_part', ['part_id'], unique=False)
    op.create_table('equipment_requirement',
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('requirement_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_equipment_requirement_equipment_id')),
    sa.ForeignKeyConstraint(['requirement_id'], ['requirement.id'], name=op.f('fk_equipment_requirement_requirement_id')),
    sa.PrimaryKeyConstraint('equipment_id', 'requirement_id', name=op.f('pk_equipment_requirement'))
    )
    op.create_index(op.f('ix_equipment_requirement_requirement_id'), 'equipment_requirement', ['requirement_id'], unique=False)
    op.create_table('own_use_window',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('weekday', sa.Integer(), nullable=False),
    sa.Column('opens_minute', sa.Integer(), nullable=False),
    sa.Column('closes_minute', sa.Integer(), nullable=False),
    sa.Column('first_day', sa.Date(), nullable=False),
    sa.Column('last_day', sa.Date(), nullable=True),
    sa.Column('release_hours', sa.Integer(), nullable=False),
    sa.CheckConstraint('0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440', name=op.f('ck_own_use_window_minutes')),
    sa.CheckConstraint('weekday BETWEEN 0 AND 6', name=op.f('ck_own_use_window_weekday')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_own_use_window_equipment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_own_use_window'))
    )
    op.create_index(op.f('ix_own_use_window_equipment_id'), 'own_use_window', ['equipment_id'], unique=False)
    op.create_table('qualification',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('requirement_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('organization_id', sa.Integer(), nullable=True),
    sa.Column('granted_on', sa.Date(), nullable=False),
    sa.Column('expires_on', sa.Date(), nullable=True),
    sa.Column('document', sa.String(length=300), nullable=False),
    sa.Column('granted_by', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('expires_on > granted_on', name=op.f('ck_qualification_expires_after_grant')),
    sa.CheckConstraint('num_nonnulls(person_id, organization_id) = 1', name=op.f('ck_qualification_one_holder')),
    sa.ForeignKeyConstraint(['granted_by'], ['person.id'], name=op.f('fk_qualification_granted_by')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_qualification_organization_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_qualification_person_id')),
    sa.ForeignKeyConstraint(['requirement_id'], ['requirement.id'], name=op.f('fk_qualification_requirement_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_qualification'))
    )
    op.create_index(op.f('ix_qualification_organization_id'), 'qualification', ['organization_id'], unique=False)
    op.create_index(op.f('ix_qualification_person_id'), 'qualification', ['person_id'], unique=False)
    op.create_index(op.f('ix_qualification_requirement_id'), 'qualification', ['requirement_id'], unique=False)
    op.create_table('quota',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=True),
    sa.Column('equipment_id', sa.Integer(), nullable=True),
    sa.Column('customer_class', sa.Enum('external', 'internal', name='customerclass_word', native_enum=False, create_constraint=True, length=40), nullable=True),
    sa.Column('organization_id', sa.Integer(), nullable=True),
    sa.Column('measure', sa.Enum('reservations', 'hours', name='measure_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('limit', sa.Numeric(precision=8, scale=2), nullable=False),
    sa.Column('period', sa.Enum('day', 'week', 'month', 'year', name='period_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('week_starts', sa.Integer(), nullable=False),
    sa.Column('weekdays', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.CheckConstraint('"limit" >= 0', name=op.f('ck_quota_limit_not_negative')),
    sa.CheckConstraint('num_nonnulls(platform_id, equipment_id) = 1', name=op.f('ck_quota_one_subject')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_quota_equipment_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_quota_organization_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_quota_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quota'))
    )
    op.create_index(op.f('ix_quota_equipment_id'), 'quota', ['equipment_id'], unique=False)
    op.create_index(op.f('ix_quota_platform_id'), 'quota', ['platform_id'], unique=False)
    op.create_table('series',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('rule', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('idempotency_key', sa.String(length=80), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_series_equipment_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_series_organization_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_series_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_series')),
    sa.UniqueConstraint('organization_id', 'idempotency_key', name=op.f('uq_series_organization_id_idempotency_key'))
    )
    op.create_table('service_request',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=True),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('commissioned_test', 'sample', 'contract_processing', name='requestkind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('title', sa.String(length=300), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('wanted_by', sa.Date(), nullable=True),
    sa.Column('state', sa.Enum('submitted', 'quoted', 'accepted', 'scheduled', 'delivered', 'signed_off', 'declined', 'withdrawn', name='requeststate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('idempotency_key', sa.String(length=80), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('signed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'signed_off') = (signed_at IS NOT NULL)", name=op.f('ck_service_request_signed_when_done')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_service_request_equipment_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_service_request_organization_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_service_request_person_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_service_request_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_request')),
    sa.UniqueConstraint('organization_id', 'idempotency_key', name=op.f('uq_service_request_organization_id_idempotency_key'))
    )
    op.create_index(op.f('ix_service_request_organization_id'), 'service_request', ['organization_id'], unique=False)
    op.create_index(op.f('ix_service_request_platform_id'), 'service_request', ['platform_id'], unique=False)
    op.create_table('quote',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('request_id', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('accepted_by', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['accepted_by'], ['person.id'], name=op.f('fk_quote_accepted_by')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_quote_person_id')),
    sa.ForeignKeyConstraint(['request_id'], ['service_request.id'], name=op.f('fk_quote_request_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quote')),
    sa.UniqueConstraint('request_id', 'version', name=op.f('uq_quote_request_id_version'))
    )
    op.create_table('service_item',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('request_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('sample', 'material', name='itemkind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('name', sa.String(length=300), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=12, scale=3), nullable=False),
    sa.Column('unit', sa.String(length=80), nullable=False),
    sa.Column('hazard', sa.String(length=300), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['request_id'], ['service_request.id'], name=op.f('fk_service_item_request_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_item'))
    )
    op.create_index(op.f('ix_service_item_request_id'), 'service_item', ['request_id'], unique=False)
    op.create_table('service_result',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('request_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=300), nullable=False),
    sa.Column('media_type', sa.String(length=80), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_service_result_person_id')),
    sa.ForeignKeyConstraint(['request_id'], ['service_request.id'], name=op.f('fk_service_result_request_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_result'))
    )
    op.create_index(op.f('ix_service_result_request_id'), 'service_result', ['request_id'], unique=False)
    op.create_table('conduct_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('no_show', 'late_cancellation', 'late', 'overrun', 'good_use', name='misstepkind_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('effective_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken_over', sa.Boolean(), nullable=False),
    sa.Column('excused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('excused_by', sa.Integer(), nullable=True),
    sa.Column('excuse', sa.String(length=300), nullable=False),
    sa.CheckConstraint('(excused_at IS NULL) = (excused_by IS NULL)', name=op.f('ck_conduct_entry_excused_by_somebody')),
    sa.ForeignKeyConstraint(['excused_by'], ['person.id'], name=op.f('fk_conduct_entry_excused_by')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_conduct_entry_organization_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_conduct_entry_person_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_conduct_entry_platform_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_conduct_entry_reservation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conduct_entry')),
    sa.UniqueConstraint('reservation_id', 'kind', name=op.f('uq_conduct_entry_reservation_id_kind'))
    )
    op.create_index(op.f('ix_conduct_entry_organization_id_platform_id_effective_at'), 'conduct_entry', ['organization_id', 'platform_id', 'effective_at'], unique=False)
    op.create_index(op.f('ix_conduct_entry_person_id'), 'conduct_entry', ['person_id'], unique=False)
    op.create_index(op.f('ix_conduct_entry_platform_id'), 'conduct_entry', ['platform_id'], unique=False)
    op.create_table('decision',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=False),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('approved', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_decision_person_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_decision_reservation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_decision')),
    sa.UniqueConstraint('reservation_id', 'during', 'person_id', name=op.f('uq_decision_reservation_id_during_person_id')),
    sa.UniqueConstraint('reservation_id', 'during', 'step', name=op.f('uq_decision_reservation_id_during_step'))
    )
    op.create_table('occupancy',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('unit', sa.Integer(), nullable=False),
    sa.Column('blocked', postgresql.TSTZRANGE(), nullable=False),
    postgresql.ExcludeConstraint((sa.column('equipment_id'), '='), (sa.column('unit'), '='), (sa.column('blocked'), '&&'), using='gist', name='no_double_booking'),
    sa.CheckConstraint('NOT isempty(blocked) AND unit > 0', name=op.f('ck_occupancy_holds_something')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_occupancy_equipment_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_occupancy_reservation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_occupancy')),
    sa.UniqueConstraint('reservation_id', 'equipment_id', name=op.f('uq_occupancy_reservation_id_equipment_id'))
    )
    op.create_table('quote_line',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('quote_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('label', sa.String(length=300), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=12, scale=3), nullable=False),
    sa.Column('unit', sa.Enum('hour', 'run', 'batch', 'sample', 'kilogram', 'metre', 'piece', name='quoteunit_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('price_yuan', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('tax_rate', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('gross', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('quantity > 0 AND price_yuan >= 0 AND tax_rate >= 0 AND tax_rate < 1', name=op.f('ck_quote_line_sane')),
    sa.ForeignKeyConstraint(['quote_id'], ['quote.id'], name=op.f('fk_quote_line_quote_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quote_line')),
    sa.UniqueConstraint('quote_id', 'position', name=op.f('uq_quote_line_quote_id_position'))
    )
    op.create_table('reserved_accessory',
    sa.Column('reservation_id', sa.Integer(), nullable=False),
    sa.Column('accessory_id', sa.Integer(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.CheckConstraint('quantity > 0', name=op.f('ck_reserved_accessory_quantity_positive')),
    sa.ForeignKeyConstraint(['accessory_id'], ['accessory.id'], name=op.f('fk_reserved_accessory_accessory_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_reserved_accessory_reservation_id')),
    sa.PrimaryKeyConstraint('reservation_id', 'accessory_id', name=op.f('pk_reserved_accessory'))
    )
    op.create_index(op.f('ix_reserved_accessory_accessory_id'), 'reserved_accessory', ['accessory_id'], unique=False)
    op.create_table('waiting',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=False),
    sa.Column('organization_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'offered', 'taken', 'expired', 'withdrawn', name='waitstate_word', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_waiting_equipment_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.id'], name=op.f('fk_waiting_organization_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_waiting_person_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_waiting_reservation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_waiting')),
    sa.UniqueConstraint('reservation_id', name=op.f('uq_waiting_reservation_id'))
    )
    op.create_index(op.f('ix_waiting_equipment_id_during'), 'waiting', ['equipment_id', 'during'], unique=False, postgresql_using='gist', postgresql_where=sa.text("state = 'waiting'"))
    op.create_index(op.f('ix_waiting_person_id'), 'waiting', ['person_id'], unique=False)
    op.add_column('equipment', sa.Column('units', sa.Integer(), server_default='1', nullable=False))
    op.add_column('equipment', sa.Column('shares_id', sa.Integer(), nullable=True))
    op.add_column('equipment', sa.Column('notice_minutes', sa.Integer(), server_default='0', nullable=False))
    op.add_column('equipment', sa.Column('observes_holidays', sa.Boolean(), server_default='false', nullable=False))
    op.add_column('equipment', sa.Column('approval', sa.Enum('none', 'operator', 'two_steps', name='approval_word', native_enum=False, create_constraint=True, length=40), server_default='none', nullable=False))
    op.add_column('equipment', sa.Column('approval_hours', sa.Integer(), server_default='48', nullable=False))
    op.add_column('equipment', sa.Column('check_in', sa.Boolean(), server_default='false', nullable=False))
    op.add_column('equipment', sa.Column('early_minutes', sa.Integer(), server_default='15', nullable=False))
    op.add_column('equipment', sa.Column('offer_minutes', sa.Integer(), server_default='30', nullable=False))
    op.create_foreign_key(op.f('fk_equipment_shares_id'), 'equipment', 'equipment', ['shares_id'], ['id'])
    op.add_column('opening_hours', sa.Column('customer_class', sa.Enum('external', 'internal', name='customerclass_word', native_enum=False, create_constraint=True, length=40), nullable=True))
    op.add_column('reservation', sa.Column('series_id', sa.Integer(), nullable=True))
    op.add_column('reservation', sa.Column('service_request_id', sa.Integer(), nullable=True))
    op.add_column('reservation', sa.Column('mode', sa.Enum('self', 'commissioned', name='servicemode_word', native_enum=False, create_constraint=True, length=40), server_default='self', nullable=False))
    op.add_column('reservation', sa.Column('hold_until', sa.DateTime(timezone=True), nullable=True))
    op.add_column('reservation', sa.Column('checked_in_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('reservation', sa.Column('released_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f('ix_reservation_equipment_id_during'), 'reservation', ['equipment_id', 'during'], unique=False, postgresql_using='gist')
    op.create_index(op.f('ix_reservation_hold_until'), 'reservation', ['hold_until'], unique=False, postgresql_where=sa.text("state IN ('offered', 'requested')"))
    op.create_index(op.f('ix_reservation_person_id'), 'reservation', ['person_id'], unique=False)
    op.create_index(op.f('ix_reservation_series_id'), 'reservation', ['series_id'], unique=False)
    op.create_index(op.f('ix_reservation_service_request_id'), 'reservation', ['service_request_id'], unique=False)
    op.create_index('ix_reservation_to_begin', 'reservation', [sa.literal_column('lower(during)')], unique=False, postgresql_where=sa.text("state = 'booked'"))
    op.create_foreign_key(op.f('fk_reservation_series_id'), 'reservation', 'series', ['series_id'], ['id'])
    op.create_foreign_key(op.f('fk_reservation_service_request_id'), 'reservation', 'service_request', ['service_request_id'], ['id'])
    op.execute(
        "INSERT INTO occupancy (reservation_id, equipment_id, unit, blocked)"
        " SELECT id, equipment_id, unit, blocked FROM reservation WHERE state = 'booked'"
    )
    op.drop_column('reservation', 'blocked')
    op.drop_column('reservation', 'unit')
    op.drop_constraint(op.f('ck_reservation_reservationstate_word'), 'reservation')
    op.create_check_constraint(
        op.f('ck_reservation_reservationstate_word'), 'reservation',
        "state IN ('offered', 'requested', 'booked', 'in_use', 'finished', 'cancelled', 'declined', 'lapsed', 'no_show')",
    )
    op.create_check_constraint(op.f('ck_reservation_during_not_empty'), 'reservation', 'NOT isempty(during)')
    op.create_check_constraint(
        op.f('ck_reservation_what_is_pending_may_lapse'), 'reservation',
        "hold_until IS NOT NULL OR state NOT IN ('offered', 'requested')",
    )
    op.create_check_constraint(op.f('ck_equipment_at_least_one_unit'), 'equipment', 'units > 0')
    op.create_check_constraint(op.f('ck_equipment_shares_with_another'), 'equipment', 'shares_id <> id')
    op.execute(
        "ALTER TABLE opening_hours DROP CONSTRAINT no_overlap, ADD CONSTRAINT no_overlap EXCLUDE USING gist"
        " (equipment_id WITH =, weekday WITH =, (coalesce(customer_class, '')) WITH =,"
        " (int4range(opens_minute, closes_minute)) WITH &&)"
    )
    op.execute(
        "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION only_grows()"
    )


def downgrade() -> None:
    raise NotImplementedError("what was decided and promised since would be lost: go back with a backup")
