"""what the yearly evaluation of a platform looks at"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

ONLY_GROW = ('incident', 'incident_closing', 'evaluation_scheme', 'evaluation_entry', 'evaluation_correction')


def upgrade() -> None:
    op.create_table('feedback',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reservation_id', sa.Integer(), nullable=False),
    sa.Column('stars', sa.Integer(), nullable=False),
    sa.Column('words', sa.Text(), server_default='', nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('given_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('stars BETWEEN 1 AND 5', name=op.f('ck_feedback_one_to_five')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_feedback_person_id')),
    sa.ForeignKeyConstraint(['reservation_id'], ['reservation.id'], name=op.f('fk_feedback_reservation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_feedback')),
    sa.UniqueConstraint('reservation_id', name=op.f('uq_feedback_reservation_id'))
    )
    op.create_table('incident',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('equipment_id', sa.Integer(), nullable=True),
    sa.Column('happened_on', sa.Date(), nullable=False),
    sa.Column('severity', sa.String(length=40), nullable=False),
    sa.Column('what_happened', sa.Text(), nullable=False),
    sa.Column('what_was_done', sa.Text(), nullable=False),
    sa.Column('recorded_by', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("severity IN ('minor', 'serious', 'major')", name=op.f('ck_incident_severity_word')),
    sa.ForeignKeyConstraint(['equipment_id'], ['equipment.id'], name=op.f('fk_incident_equipment_id')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_incident_platform_id')),
    sa.ForeignKeyConstraint(['recorded_by'], ['person.id'], name=op.f('fk_incident_recorded_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_incident'))
    )
    op.create_index(op.f('ix_incident_platform_id_happened_on'), 'incident', ['platform_id', 'happened_on'])
    op.create_table('incident_closing',
    sa.Column('incident_id', sa.Integer(), nullable=False),
    sa.Column('closed_on', sa.Date(), nullable=False),
    sa.Column('measures', sa.Text(), nullable=False),
    sa.Column('closed_by', sa.Integer(), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['closed_by'], ['person.id'], name=op.f('fk_incident_closing_closed_by')),
    sa.ForeignKeyConstraint(['incident_id'], ['incident.id'], name=op.f('fk_incident_closing_incident_id')),
    sa.PrimaryKeyConstraint('incident_id', name=op.f('pk_incident_closing'))
    )
    op.create_table('evaluation_scheme',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('terms', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('source', sa.String(length=300), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('set_by', sa.Integer(), nullable=False),
    sa.Column('set_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['set_by'], ['person.id'], name=op.f('fk_evaluation_scheme_set_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluation_scheme'))
    )
    op.create_index(op.f('ix_evaluation_scheme_year_id'), 'evaluation_scheme', ['year', 'id'])
    op.create_table('evaluation_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('platform_id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('indicator', sa.String(length=80), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('value', sa.Numeric(precision=5, scale=2), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('file_name', sa.String(length=300), nullable=True),
    sa.Column('media_type', sa.String(length=80), nullable=True),
    sa.Column('content', sa.LargeBinary(), nullable=True),
    sa.Column('digest', sa.String(length=80), nullable=True),
    sa.Column('size_bytes', sa.Integer(), nullable=True),
    sa.Column('entered_by', sa.Integer(), nullable=False),
    sa.Column('entered_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('handed_in', 'confirmed', 'corrected')", name=op.f('ck_evaluation_entry_evaluationword_word')),
    sa.CheckConstraint('num_nulls(file_name, media_type, content, digest, size_bytes) IN (0, 5)', name=op.f('ck_evaluation_entry_file_whole')),
    sa.CheckConstraint('value BETWEEN 0 AND 100', name=op.f('ck_evaluation_entry_within_scale')),
    sa.ForeignKeyConstraint(['entered_by'], ['person.id'], name=op.f('fk_evaluation_entry_entered_by')),
    sa.ForeignKeyConstraint(['platform_id'], ['platform.id'], name=op.f('fk_evaluation_entry_platform_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluation_entry'))
    )
    op.create_index(op.f('ix_evaluation_entry_platform_id_year_indicator_id'), 'evaluation_entry', ['platform_id', 'year', 'indicator', 'id'])
    op.add_column('evaluation', sa.Column('score', sa.Numeric(precision=5, scale=2), nullable=True))
    op.add_column('evaluation', sa.Column('grade', sa.String(length=40), nullable=True))
    op.add_column('evaluation', sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column('evaluation', sa.Column('concluded_by', sa.Integer(), nullable=True))
    op.add_column('evaluation', sa.Column('concluded_at', sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f('fk_evaluation_concluded_by'), 'evaluation', 'person', ['concluded_by'], ['id'])
    op.create_check_constraint(op.f('ck_evaluation_grade_word'), 'evaluation', "grade IN ('excellent', 'good', 'pass', 'poor')")
    op.create_check_constraint(op.f('ck_evaluation_concluded_whole'), 'evaluation', 'num_nulls(score, grade, result, concluded_by, concluded_at) IN (0, 5)')
    op.create_table('evaluation_correction',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('evaluation_id', sa.Integer(), nullable=False),
    sa.Column('before', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('after', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('corrected_by', sa.Integer(), nullable=False),
    sa.Column('corrected_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['corrected_by'], ['person.id'], name=op.f('fk_evaluation_correction_corrected_by')),
    sa.ForeignKeyConstraint(['evaluation_id'], ['evaluation.id'], name=op.f('fk_evaluation_correction_evaluation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluation_correction'))
    )
    op.create_index(op.f('ix_evaluation_correction_evaluation_id'), 'evaluation_correction', ['evaluation_id'])
    for table in ONLY_GROW:
        op.execute(f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION only_grows()")


def downgrade() -> None:
    raise NotImplementedError("evaluations, opinions and incidents would be lost: go back with a backup")
