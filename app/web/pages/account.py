"""Signing in and out, and the reader's language."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from app.identity.rules.language import Language
from app.identity.rules.permission import Permission
from app.identity.signing_in import choose_language
from app.identity.signing_in import sign_in as check_password
from app.kernel import clock
from app.kernel.db import in_transaction, transaction
from app.kernel.errors import NotFound, Refusal
from app.web.access import actor_for, requires
from app.web.errors import sentence, status_of
from app.web.forms import safe_next
from app.web.language import COOKIE, LANGUAGES
from app.web.limits import SIGN_IN, limiter
from app.web.samples import sample_accounts

pages = Blueprint("account", __name__)
A_YEAR = 31_536_000


@pages.route("/sign-in", methods=["GET", "POST"])
@requires(Permission.SIGN_IN)
@limiter.limit(SIGN_IN, methods=["POST"])
def sign_in() -> Response | str | tuple[str, int]:
    if current_user.is_authenticated:
        return redirect(safe_next(url_for("home.start")))
    if request.method == "GET":
        return _form()
    email = request.form.get("email", "")
    try:
        with transaction() as database:
            person = check_password(database, email=email, password=request.form.get("password", ""), at=clock.now())
            actor = actor_for(person)
    except Refusal as refusal:
        return _form(refused=sentence(refusal), email=email), status_of(refusal)
    session.clear()
    session.permanent = True
    login_user(actor)
    return redirect(safe_next(url_for("home.start")))


@pages.post("/sign-out")
@requires(Permission.USE_ACCOUNT)
def sign_out() -> Response:
    logout_user()
    session.clear()
    return redirect(url_for("home.start"))


@pages.get("/language/<code>")
@requires(Permission.BROWSE)
def language(code: str) -> Response:
    """For this browser, and for whoever is signed in also for their mails, calendars and other browsers."""
    if code not in LANGUAGES:
        raise NotFound("没有这种语言。")
    if current_user.is_authenticated:
        in_transaction(lambda database: choose_language(database, current_user.id, Language(code)))
    answer = redirect(safe_next(url_for("home.start")).rstrip("?"))
    answer.set_cookie(COOKIE, code, max_age=A_YEAR, samesite="Lax", httponly=True)
    return answer


def _form(refused: str = "", email: str = "") -> str:
    return render_template(
        "sign_in.html", refused=refused, email=email, next=request.values.get("next", ""), **sample_accounts()
    )
