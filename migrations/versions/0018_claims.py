"""claims of a platform's year: filed, asked about, locked with their facts, decided, paid and adjusted"""

from __future__ import annotations

from alembic import op

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

NOTICES = (
    'reminder', 'reservation_changed', 'approval_wanted', 'decision', 'offer', 'conduct', 'qualification',
    'service_request', 'metering', 'payment', 'subsidy',
)
ONLY_GROWING = ('claim_record', 'claim_payment', 'claim_adjustment', 'subsidy_budget')

TABLES = """
CREATE TABLE claim (
    id SERIAL NOT NULL,
    platform_id INTEGER NOT NULL,
    policy VARCHAR(80) NOT NULL,
    year INTEGER NOT NULL,
    state VARCHAR(40) NOT NULL,
    requested_m2 INTEGER,
    filed_by INTEGER NOT NULL,
    filed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    document VARCHAR(300) DEFAULT '' NOT NULL,
    illustrative BOOLEAN NOT NULL,
    CONSTRAINT pk_claim PRIMARY KEY (id),
    CONSTRAINT uq_claim_platform_id_policy_year UNIQUE (platform_id, policy, year),
    CONSTRAINT fk_claim_platform_id FOREIGN KEY(platform_id) REFERENCES platform (id),
    CONSTRAINT ck_claim_claimstate_word CHECK (state IN (
        'filed', 'returned', 'withdrawn', 'locked', 'approved', 'paid', 'adjusted')),
    CONSTRAINT fk_claim_filed_by FOREIGN KEY(filed_by) REFERENCES person (id)
);
CREATE INDEX ix_claim_year ON claim (year);
CREATE TABLE claim_item (
    id SERIAL NOT NULL,
    claim_id INTEGER NOT NULL,
    programme VARCHAR(80) NOT NULL,
    payee VARCHAR(300) DEFAULT '' NOT NULL,
    filed_fen BIGINT NOT NULL,
    locked_fen BIGINT,
    approved_fen BIGINT,
    upper_fen BIGINT,
    own_fen BIGINT,
    CONSTRAINT pk_claim_item PRIMARY KEY (id),
    CONSTRAINT uq_claim_item_claim_id_programme UNIQUE (claim_id, programme),
    CONSTRAINT ck_claim_item_bearers_sum CHECK (approved_fen IS NULL OR upper_fen + own_fen = approved_fen),
    CONSTRAINT ck_claim_item_not_above_the_lock CHECK (approved_fen IS NULL OR approved_fen BETWEEN 0 AND locked_fen),
    CONSTRAINT fk_claim_item_claim_id FOREIGN KEY(claim_id) REFERENCES claim (id)
);
CREATE TABLE claim_record (
    claim_id INTEGER NOT NULL,
    locked_on DATE NOT NULL,
    locked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    locked_by INTEGER NOT NULL,
    scenario BYTEA NOT NULL,
    summary BYTEA NOT NULL,
    digest VARCHAR(80) NOT NULL,
    CONSTRAINT pk_claim_record PRIMARY KEY (claim_id),
    CONSTRAINT fk_claim_record_claim_id FOREIGN KEY(claim_id) REFERENCES claim (id),
    CONSTRAINT fk_claim_record_locked_by FOREIGN KEY(locked_by) REFERENCES person (id)
);
CREATE TABLE claim_question (
    id SERIAL NOT NULL,
    claim_id INTEGER NOT NULL,
    question TEXT NOT NULL,
    asked_by INTEGER NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answer TEXT DEFAULT '' NOT NULL,
    answered_by INTEGER,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_claim_question PRIMARY KEY (id),
    CONSTRAINT ck_claim_question_answered_or_not CHECK ((answered_at IS NULL) = (answer = '')),
    CONSTRAINT fk_claim_question_claim_id FOREIGN KEY(claim_id) REFERENCES claim (id),
    CONSTRAINT fk_claim_question_asked_by FOREIGN KEY(asked_by) REFERENCES person (id),
    CONSTRAINT fk_claim_question_answered_by FOREIGN KEY(answered_by) REFERENCES person (id)
);
CREATE INDEX ix_claim_question_claim_id ON claim_question (claim_id);
CREATE TABLE subsidy_budget (
    id SERIAL NOT NULL,
    policy VARCHAR(80) NOT NULL,
    year INTEGER NOT NULL,
    amount_fen BIGINT NOT NULL,
    document VARCHAR(300) NOT NULL,
    set_by INTEGER NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_subsidy_budget PRIMARY KEY (id),
    CONSTRAINT ck_subsidy_budget_not_negative CHECK (amount_fen >= 0),
    CONSTRAINT fk_subsidy_budget_set_by FOREIGN KEY(set_by) REFERENCES person (id)
);
CREATE INDEX ix_subsidy_budget_policy_year_id ON subsidy_budget (policy, year, id);
CREATE TABLE claim_deduction (
    id SERIAL NOT NULL,
    claim_item_id INTEGER NOT NULL,
    amount_fen BIGINT NOT NULL,
    reason VARCHAR(300) NOT NULL,
    budget_id INTEGER,
    made_by INTEGER NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    withdrawn_by INTEGER,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_claim_deduction PRIMARY KEY (id),
    CONSTRAINT ck_claim_deduction_positive CHECK (amount_fen > 0),
    CONSTRAINT fk_claim_deduction_claim_item_id FOREIGN KEY(claim_item_id) REFERENCES claim_item (id),
    CONSTRAINT fk_claim_deduction_budget_id FOREIGN KEY(budget_id) REFERENCES subsidy_budget (id),
    CONSTRAINT fk_claim_deduction_made_by FOREIGN KEY(made_by) REFERENCES person (id),
    CONSTRAINT fk_claim_deduction_withdrawn_by FOREIGN KEY(withdrawn_by) REFERENCES person (id)
);
CREATE INDEX ix_claim_deduction_claim_item_id ON claim_deduction (claim_item_id);
CREATE TABLE claim_payment (
    id SERIAL NOT NULL,
    claim_id INTEGER NOT NULL,
    bearer VARCHAR(80) NOT NULL,
    amount_fen BIGINT NOT NULL,
    paid_on DATE NOT NULL,
    document VARCHAR(300) NOT NULL,
    recorded_by INTEGER NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_claim_payment PRIMARY KEY (id),
    CONSTRAINT ck_claim_payment_not_zero CHECK (amount_fen <> 0),
    CONSTRAINT fk_claim_payment_claim_id FOREIGN KEY(claim_id) REFERENCES claim (id),
    CONSTRAINT fk_claim_payment_recorded_by FOREIGN KEY(recorded_by) REFERENCES person (id)
);
CREATE INDEX ix_claim_payment_claim_id ON claim_payment (claim_id);
CREATE TABLE claim_adjustment (
    id SERIAL NOT NULL,
    claim_item_id INTEGER NOT NULL,
    amount_fen BIGINT NOT NULL,
    upper_fen BIGINT NOT NULL,
    own_fen BIGINT NOT NULL,
    proposed BOOLEAN NOT NULL,
    reason VARCHAR(300) NOT NULL,
    document VARCHAR(300) NOT NULL,
    made_by INTEGER NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_claim_adjustment PRIMARY KEY (id),
    CONSTRAINT ck_claim_adjustment_not_zero CHECK (amount_fen <> 0),
    CONSTRAINT ck_claim_adjustment_bearers_sum CHECK (upper_fen + own_fen = amount_fen),
    CONSTRAINT fk_claim_adjustment_claim_item_id FOREIGN KEY(claim_item_id) REFERENCES claim_item (id),
    CONSTRAINT fk_claim_adjustment_made_by FOREIGN KEY(made_by) REFERENCES person (id)
);
CREATE INDEX ix_claim_adjustment_claim_item_id ON claim_adjustment (claim_item_id);
CREATE TABLE other_grant (
    id SERIAL NOT NULL,
    platform_id INTEGER NOT NULL,
    authority_level VARCHAR(80) NOT NULL,
    programme_kind VARCHAR(80) NOT NULL,
    year INTEGER NOT NULL,
    amount_fen BIGINT NOT NULL,
    timing VARCHAR(80) NOT NULL,
    asset_nos VARCHAR(80)[] NOT NULL,
    document VARCHAR(300) NOT NULL,
    recorded_by INTEGER NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    withdrawn_reason VARCHAR(300) DEFAULT '' NOT NULL,
    CONSTRAINT pk_other_grant PRIMARY KEY (id),
    CONSTRAINT ck_other_grant_positive CHECK (amount_fen > 0),
    CONSTRAINT fk_other_grant_platform_id FOREIGN KEY(platform_id) REFERENCES platform (id),
    CONSTRAINT fk_other_grant_recorded_by FOREIGN KEY(recorded_by) REFERENCES person (id)
);
CREATE INDEX ix_other_grant_platform_id_year ON other_grant (platform_id, year);
"""

RULES = """
-- What a claim was locked with and what was approved stay as they are; what changes later is an adjustment.
CREATE FUNCTION claim_item_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.locked_fen IS NOT NULL AND (
        TG_OP = 'DELETE' OR NEW.locked_fen IS DISTINCT FROM OLD.locked_fen OR NEW.claim_id <> OLD.claim_id
        OR NEW.programme <> OLD.programme OR NEW.filed_fen <> OLD.filed_fen OR NEW.payee <> OLD.payee
        OR (OLD.approved_fen IS NOT NULL AND (NEW.approved_fen, NEW.upper_fen, NEW.own_fen)
            IS DISTINCT FROM (OLD.approved_fen, OLD.upper_fen, OLD.own_fen))
    ) THEN
        RAISE EXCEPTION 'item % of claim % is locked', OLD.programme, OLD.claim_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'claim_item_stays';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER claim_item_stays BEFORE UPDATE OR DELETE ON claim_item FOR EACH ROW EXECUTE FUNCTION claim_item_stays();

CREATE FUNCTION decided_deductions_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM claim_item WHERE id IN (NEW.claim_item_id, OLD.claim_item_id)
               AND approved_fen IS NOT NULL) THEN
        RAISE EXCEPTION 'the claim of item % is decided', coalesce(NEW.claim_item_id, OLD.claim_item_id)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'decided_deductions_stay';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE FUNCTION adjusted_within_the_lock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    item claim_item%ROWTYPE;
    granted bigint;
BEGIN
    SELECT * INTO STRICT item FROM claim_item WHERE id = NEW.claim_item_id FOR UPDATE;
    SELECT item.approved_fen + coalesce(sum(amount_fen), 0) + NEW.amount_fen INTO granted
        FROM claim_adjustment WHERE claim_item_id = NEW.claim_item_id;
    IF granted IS NULL OR granted NOT BETWEEN 0 AND item.locked_fen THEN
        RAISE EXCEPTION 'item % would be granted % of %', item.id, granted, item.locked_fen
            USING ERRCODE = 'check_violation', CONSTRAINT = 'adjusted_within_the_lock';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER adjusted_within_the_lock BEFORE INSERT ON claim_adjustment
    FOR EACH ROW EXECUTE FUNCTION adjusted_within_the_lock();

CREATE TRIGGER decided_deductions_stay BEFORE INSERT OR UPDATE OR DELETE ON claim_deduction
    FOR EACH ROW EXECUTE FUNCTION decided_deductions_stay();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RULES)
    for table in ONLY_GROWING:
        op.execute(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION only_grows()"
        )
    for table in ('notice', 'notice_choice'):
        op.drop_constraint(op.f(f'ck_{table}_noticekind_word'), table)
        words = ', '.join(f"'{kind}'" for kind in NOTICES)
        op.create_check_constraint(op.f(f'ck_{table}_noticekind_word'), table, f'kind IN ({words})')
    # Nothing ever wrote here: the day of a lock now comes from the claim's record.
    op.drop_table('filing')


def downgrade() -> None:
    raise NotImplementedError("what was claimed and paid would be lost: go back with a backup")
