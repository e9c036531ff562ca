"""Whether this installation shows sample data (示例), and the accounts to look at it with."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from flask import Flask, g
from sqlalchemy import exists, select

from app.catalogue.models import Platform
from app.identity.models import Person
from app.kernel.db import db


def shows_samples() -> bool:
    """Asked once a request; the table holds a dozen rows."""
    if "shows_samples" not in g:
        g.shows_samples = bool(db.session.scalar(select(exists().where(Platform.illustrative))))
    return bool(g.shows_samples)


def sample_accounts() -> dict[str, Any]:
    """The sample world's accounts, where it was loaded; nothing anywhere else."""
    if not shows_samples() or find_spec("app.demo") is None:
        return {}
    from app.demo import DEMO_ACCOUNTS, DEMO_PASSWORD

    known = set(db.session.scalars(select(Person.email).where(Person.active)))
    return {
        "sample_password": DEMO_PASSWORD,
        "sample_accounts": [account for account in DEMO_ACCOUNTS if account.email in known],
    }


def register(app: Flask) -> None:
    app.context_processor(lambda: {"shows_samples": shows_samples})
