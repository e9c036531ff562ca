"""A platform with many firms' charges of a month, made by SQL: for closes, and for their speed."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from app.identity.rules.permission import Role
from app.kernel import clock
from tests import makers

FIRMS = text(
    "INSERT INTO organization (name, uscc, region, illustrative, created_at)"
    " SELECT '示例企业 ' || number, NULL, '晋江', true, :at FROM generate_series(1, CAST(:firms AS int)) AS number"
    " RETURNING id"
)
# Each firm uses a machine of its own turn of an hour: no two sessions of a meter meet.
SESSIONS = text(
    "INSERT INTO usage_session (meter_id, equipment_id, organization_id, started_at, ended_at, during, open,"
    " running_s, energy_mwh, energy_estimated, gap_s, evidence, readings_count, readings_digest, profile_id,"
    " rule_version, fingerprint, flags, reason, derived_at)"
    " SELECT NULL, :equipment, :first_firm + number % :firms, starts, starts + interval '2 hours',"
    " tstzrange(starts, starts + interval '2 hours'), false, 7200, 5000000, false, 0, 'booked', 10, 'd', NULL, 1,"
    " 'f' || number, '[]', '', :at"
    " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS number,"
    " LATERAL (SELECT CAST(:begins AS timestamptz) + number % 40000 * interval '1 minute' AS starts) AS timed"
)
SETTLEMENTS = text(
    "INSERT INTO use_settlement (usage_session_id, sequence, platform_id, equipment_id, organization_id, tariff_id,"
    " status, reason, facts, quantity, used_from, settled_at)"
    " SELECT id, 0, :platform, equipment_id, organization_id, :tariff, 'priced', '', '{}', 0, started_at, :at"
    " FROM usage_session WHERE id > :after"
)
SETTLED = text(
    "INSERT INTO settled_session (use_settlement_id, usage_session_id, session_fingerprint, reviewed)"
    " SELECT use_settlement.id, usage_session.id, fingerprint, false"
    " FROM use_settlement JOIN usage_session ON usage_session.id = use_settlement.usage_session_id"
    " WHERE usage_session.id > :after"
)
CHARGES = text(
    "INSERT INTO charge (usage_session_id, use_settlement_id, position, platform_id, organization_id, equipment_id,"
    " tariff_id, kind, quantity, unit, unit_price, net_fen, tax_fen, gross_fen, tax_rate, tax_code, category, relation,"
    " inputs, explanation_zh, explanation_en, served_at, state, charged_at, reason)"
    " SELECT usage_session_id, use_settlement.id, 1, platform_id, organization_id, equipment_id, tariff_id, 'hours',"
    " 2, 'h', 600, gross - round(gross * 6 / 106), round(gross * 6 / 106), gross, 0.06, '3040105000000000000',"
    " 'instrument_sharing', 'external',"
    " jsonb_build_object('started_at', used_from, 'ended_at', used_from + interval '2 hours', 'evidence', 'booked'),"
    " '2 h × ¥600.00/h', '2 h × ¥600.00/h', used_from, CAST(:state AS varchar), :at, ''"
    " FROM use_settlement, LATERAL (SELECT 120000 + use_settlement.id % 997 AS gross) AS priced"
    " WHERE usage_session_id > :after"
)


class CloseWorld:
    """``add`` adds approved charges in turn to every firm, each with its session and settlement."""

    def __init__(self, session: Session, *, firms: int, at: datetime) -> None:
        self.at = at
        operator = makers.organization(session, name="示例运营公司")
        platform = makers.platform(session, operator=operator)
        equipment = makers.equipment(session, of=platform, name_zh="示例冻干机", name_en="Sample freeze dryer")
        self.finance = makers.person(session, (operator, Role.OPERATOR_FINANCE)).id
        self.tariff = makers.tariff(session, of=equipment).id
        self.platform, self.equipment = platform.id, equipment.id
        self.firms = sorted(session.scalars(FIRMS, {"firms": firms, "at": at}))

    def add(self, session: Session, count: int, *, month: date, state: str = "approved", first: int = 0) -> None:
        after = self.use(session, count, month=month, first=first)
        self.charge(session, after=after, state=state)
        session.execute(text("DELETE FROM uncharged_session"))  # charged behind charging's back
        session.flush()

    def use(self, session: Session, count: int, *, month: date, first: int = 0) -> int:
        """Sessions alone. Returns the last id before them."""
        after: int = session.scalar(text("SELECT coalesce(max(id), 0) FROM usage_session")) or 0
        self._say(session, SESSIONS, begins=clock.local_midnight(month), first=first, last=first + count - 1)
        return after

    def charge(self, session: Session, *, after: int, state: str = "approved") -> None:
        """Settlements and charges of the sessions after that id."""
        for statement in (SETTLEMENTS, SETTLED, CHARGES):
            self._say(session, statement, after=after, state=state)

    def _say(self, session: Session, statement: TextClause, **given: object) -> None:
        told = {
            "platform": self.platform, "equipment": self.equipment, "tariff": self.tariff, "at": self.at,
            "first_firm": self.firms[0], "firms": len(self.firms), **given,
        }  # fmt: skip
        session.execute(statement, {name: told[name] for name in told if f":{name}" in statement.text})
