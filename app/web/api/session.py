"""Signing in over the API: a session cookie and a token against forged requests."""

from __future__ import annotations

from typing import Any

from flask import session as browser_session
from flask_login import login_user
from flask_smorest import Blueprint
from flask_wtf.csrf import generate_csrf

from app.identity.rules.permission import Permission
from app.identity.signing_in import sign_in
from app.kernel import clock
from app.kernel.db import transaction
from app.web.access import actor_for, requires
from app.web.api.schemas import SignedIn, SignIn
from app.web.limits import SIGN_IN, limiter

blueprint = Blueprint("api_session", __name__, url_prefix="/api/v1/session", description="Sign in")
SIGN_IN_VIEW = "app.web.api.session.create"


@blueprint.route("", methods=["POST"])
@requires(Permission.SIGN_IN)
@limiter.limit(SIGN_IN)
@blueprint.arguments(SignIn)
@blueprint.response(201, SignedIn)
def create(told: dict[str, Any]) -> dict[str, str]:
    """Sign in with e-mail and password."""
    with transaction() as database:
        person = sign_in(database, email=told["email"], password=told["password"], at=clock.now())
        actor = actor_for(person)
    browser_session.clear()
    login_user(actor)
    return {"name": actor.name, "csrf_token": generate_csrf()}
