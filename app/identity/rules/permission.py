"""Who may do what: one table, read by every route and shown to administrators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    FIRM_MEMBER = "firm_member"
    FIRM_MANAGER = "firm_manager"
    OPERATOR = "operator"
    OPERATOR_FINANCE = "operator_finance"
    OFFICIAL = "official"
    ADMINISTRATOR = "administrator"


class Scope(StrEnum):
    """How far a permission reaches."""

    OWN_ORGANIZATION = "own_organization"
    OWN_PLATFORMS = "own_platforms"
    EVERYTHING = "everything"


class Permission(StrEnum):
    BROWSE = "browse"  # the public catalogue: everybody, signed in or not
    SIGN_IN = "sign_in"
    USE_ACCOUNT = "use_account"  # anybody who is signed in
    RESERVE = "reserve"
    SEE_RESERVATIONS = "see_reservations"
    CHECK_IN = "check_in"
    DECIDE_RESERVATIONS = "decide_reservations"
    MANAGE_EQUIPMENT = "manage_equipment"
    MANAGE_QUALIFICATIONS = "manage_qualifications"
    SEE_QUALIFICATIONS = "see_qualifications"
    MANAGE_CALENDAR = "manage_calendar"
    SEE_CONDUCT = "see_conduct"
    EXCUSE_CONDUCT = "excuse_conduct"
    ASK_SERVICE = "ask_service"
    SEE_SERVICE = "see_service"
    HANDLE_SERVICE = "handle_service"
    GIVE_FEEDBACK = "give_feedback"
    SEE_FEEDBACK = "see_feedback"
    SEE_INCIDENTS = "see_incidents"
    RECORD_INCIDENTS = "record_incidents"
    READ_FEED = "read_feed"  # whoever has the secret address
    SEE_USAGE = "see_usage"
    SEE_READINGS = "see_readings"
    SEE_INVOICES = "see_invoices"
    SEE_CHARGES = "see_charges"
    SEE_CERTIFICATES = "see_certificates"
    CLOSE_MONTHS = "close_months"
    SEE_REVENUE = "see_revenue"
    SHARE_REVENUE = "share_revenue"
    OBJECT_TO_CHARGES = "object_to_charges"
    MANAGE_TARIFFS = "manage_tariffs"
    REVIEW_CHARGES = "review_charges"
    ISSUE_INVOICES = "issue_invoices"
    RECORD_PAYMENTS = "record_payments"
    SEE_DEPOSITS = "see_deposits"
    MANAGE_BILLING = "manage_billing"
    SEE_METERS = "see_meters"
    MANAGE_METERS = "manage_meters"
    SEE_SUBSIDY = "see_subsidy"
    SEE_CLAIMS = "see_claims"
    FILE_CLAIMS = "file_claims"
    DECIDE_CLAIMS = "decide_claims"
    SEE_EVALUATION = "see_evaluation"
    HAND_IN_EVALUATION = "hand_in_evaluation"
    CONCLUDE_EVALUATION = "conclude_evaluation"
    SEE_WEIGHTS = "see_weights"
    SET_WEIGHTS = "set_weights"
    SEE_ASSETS = "see_assets"
    MANAGE_ASSETS = "manage_assets"
    SIMULATE = "simulate"
    SEE_POLICY = "see_policy"
    ANSWER_POLICY = "answer_policy"
    SEE_CITY = "see_city"
    RECORD_RECOGNITION = "record_recognition"
    PLACE_ORGANIZATIONS = "place_organizations"
    SEE_HEALTH = "see_health"
    SEE_AUDIT = "see_audit"


PUBLIC = frozenset({Permission.BROWSE, Permission.SIGN_IN, Permission.READ_FEED})

_FIRM, _PLATFORMS, _ALL = Scope.OWN_ORGANIZATION, Scope.OWN_PLATFORMS, Scope.EVERYTHING

# fmt: off
TABLE: dict[Permission, dict[Role, Scope]] = {
    Permission.USE_ACCOUNT: dict.fromkeys(Role, _FIRM),
    Permission.RESERVE: {Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM},
    Permission.SEE_RESERVATIONS: {
        Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS,
    },
    Permission.CHECK_IN: {Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS},
    Permission.DECIDE_RESERVATIONS: {Role.OPERATOR: _PLATFORMS},
    Permission.MANAGE_EQUIPMENT: {Role.OPERATOR: _PLATFORMS},
    Permission.MANAGE_QUALIFICATIONS: {Role.OPERATOR: _PLATFORMS},
    Permission.SEE_QUALIFICATIONS: {
        Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS,
    },
    Permission.MANAGE_CALENDAR: {Role.ADMINISTRATOR: _ALL},
    Permission.SEE_CONDUCT: {Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS},
    Permission.EXCUSE_CONDUCT: {Role.OPERATOR: _PLATFORMS},
    Permission.ASK_SERVICE: {Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM},
    Permission.SEE_SERVICE: {
        Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS,
    },
    Permission.HANDLE_SERVICE: {Role.OPERATOR: _PLATFORMS},
    Permission.GIVE_FEEDBACK: {Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM},
    Permission.SEE_FEEDBACK: {
        Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS, Role.OFFICIAL: _ALL,
    },
    Permission.SEE_INCIDENTS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL},
    Permission.RECORD_INCIDENTS: {Role.OPERATOR: _PLATFORMS},
    Permission.SEE_USAGE: {
        Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS,
        Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL,
    },
    Permission.SEE_READINGS: {
        Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS,
        Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL,
    },
    Permission.SEE_INVOICES: {
        Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL,
    },
    Permission.SEE_CHARGES: {
        Role.FIRM_MEMBER: _FIRM, Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS,
    },
    Permission.SEE_CERTIFICATES: {Role.FIRM_MANAGER: _FIRM},
    Permission.CLOSE_MONTHS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.SEE_REVENUE: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.SHARE_REVENUE: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.OBJECT_TO_CHARGES: {Role.FIRM_MANAGER: _FIRM},
    Permission.MANAGE_TARIFFS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.REVIEW_CHARGES: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.ISSUE_INVOICES: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.RECORD_PAYMENTS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.SEE_DEPOSITS: {
        Role.FIRM_MANAGER: _FIRM, Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS,
    },
    Permission.MANAGE_BILLING: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.SEE_METERS: {
        Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS, Role.ADMINISTRATOR: _ALL,
    },
    Permission.MANAGE_METERS: {Role.OPERATOR: _PLATFORMS},
    Permission.SEE_SUBSIDY: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL},
    Permission.SEE_CLAIMS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL},
    Permission.FILE_CLAIMS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.DECIDE_CLAIMS: {Role.OFFICIAL: _ALL},
    Permission.SEE_EVALUATION: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL},
    Permission.HAND_IN_EVALUATION: {Role.OPERATOR: _PLATFORMS},
    Permission.CONCLUDE_EVALUATION: {Role.OFFICIAL: _ALL},
    Permission.SEE_WEIGHTS: {
        Role.OPERATOR: _ALL, Role.OPERATOR_FINANCE: _ALL, Role.OFFICIAL: _ALL, Role.ADMINISTRATOR: _ALL,
    },
    Permission.SET_WEIGHTS: {Role.OFFICIAL: _ALL, Role.ADMINISTRATOR: _ALL},
    Permission.SEE_ASSETS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS, Role.OFFICIAL: _ALL},
    Permission.MANAGE_ASSETS: {Role.OPERATOR: _PLATFORMS, Role.OPERATOR_FINANCE: _PLATFORMS},
    Permission.SIMULATE: {
        Role.OPERATOR: _ALL, Role.OPERATOR_FINANCE: _ALL, Role.OFFICIAL: _ALL, Role.ADMINISTRATOR: _ALL,
    },
    Permission.SEE_POLICY: {
        Role.OPERATOR: _ALL, Role.OPERATOR_FINANCE: _ALL, Role.OFFICIAL: _ALL, Role.ADMINISTRATOR: _ALL,
    },
    Permission.ANSWER_POLICY: {Role.ADMINISTRATOR: _ALL},
    Permission.SEE_CITY: {Role.OFFICIAL: _ALL},
    Permission.RECORD_RECOGNITION: {Role.OFFICIAL: _ALL},
    Permission.PLACE_ORGANIZATIONS: {Role.FIRM_MANAGER: _FIRM, Role.ADMINISTRATOR: _ALL},
    Permission.SEE_HEALTH: {Role.ADMINISTRATOR: _ALL},
    Permission.SEE_AUDIT: {Role.ADMINISTRATOR: _ALL},
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Reach:
    """Where one actor may use one permission: in these organizations' name, on these bodies' platforms, or anywhere."""

    everything: bool = False
    organizations: frozenset[int] = frozenset()
    operators: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.organizations) or bool(self.operators)


def reach(roles: Iterable[tuple[int, Role]], permission: Permission) -> Reach:
    """Where somebody with these ``(organization_id, role)`` pairs may use ``permission``."""
    granted = TABLE.get(permission, {})
    everything, organizations, operators = False, set(), set()
    for organization_id, role in roles:
        match granted.get(role):
            case Scope.EVERYTHING:
                everything = True
            case Scope.OWN_ORGANIZATION:
                organizations.add(organization_id)
            case Scope.OWN_PLATFORMS:
                operators.add(organization_id)
    return Reach(everything, frozenset(organizations), frozenset(operators))
