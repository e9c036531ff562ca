"""How a customer stands to a platform, and which class of prices and terms follows from it."""

from __future__ import annotations

from enum import StrEnum


class CustomerClass(StrEnum):
    """Whose price and whose terms. ``INTERNAL`` is the host's or operator's own use."""

    EXTERNAL = "external"
    INTERNAL = "internal"


class CustomerRelation(StrEnum):
    """How a customer stands to the platform (A04)."""

    EXTERNAL = "external"
    RELATED_PARTY = "related_party"
    OWN_USE = "own_use"


def class_of(relation: CustomerRelation) -> CustomerClass:
    return CustomerClass.INTERNAL if relation is CustomerRelation.OWN_USE else CustomerClass.EXTERNAL
