"""How a customer stands to a platform on a day, as SQL: the same answer as ``Standing.relation``, for many rows."""

from __future__ import annotations


def standing_joins(*, platform: str, customer: str, day: str) -> str:
    """What :func:`relation` needs beside the rows. Shape: each argument is a column or expression of ours."""
    return f"""
        JOIN platform AS stood_to ON stood_to.id = {platform}
        LEFT JOIN platform_operator AS runs
            ON runs.platform_id = {platform} AND runs.organization_id = {customer} AND runs.days @> {day}
        LEFT JOIN related_party AS near
            ON near.platform_id = {platform} AND near.organization_id = {customer} AND near.since <= {day}
    """


def relation(customer: str) -> str:
    """The relation of ``customer`` after :func:`standing_joins`; nothing where there is no customer."""
    return f"""
        CASE WHEN {customer} IS NULL THEN NULL
             WHEN stood_to.host_id = {customer} OR runs.id IS NOT NULL THEN 'own_use'
             WHEN near.id IS NOT NULL THEN 'related_party' ELSE 'external' END
    """
