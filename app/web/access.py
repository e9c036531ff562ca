"""Who is asking, and whether they may: every route names its permission, one place checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, abort, g, has_request_context, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.catalogue.platforms import platforms_run_by
from app.identity.models import Membership, Person
from app.identity.rules.language import Language
from app.identity.rules.permission import PUBLIC, Permission, Reach, Role, reach
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import NotFound

View = TypeVar("View", bound=Callable[..., Any])
login_manager = LoginManager()


@dataclass(frozen=True)
class Actor(UserMixin):
    """The person who is signed in, with their roles."""

    id: int
    name: str
    email: str
    roles: tuple[tuple[int, Role], ...]
    organization_names: tuple[str, ...]
    language: Language

    def get_id(self) -> str:
        return str(self.id)

    def reach(self, permission: Permission) -> Reach:
        return reach(self.roles, permission)

    def may(self, permission: Permission) -> bool:
        return permission in PUBLIC or bool(self.reach(permission))

    def has(self, *wanted: Role) -> bool:
        return any(role in wanted for _, role in self.roles)


@login_manager.user_loader
def load_actor(person_id: str) -> Actor | None:
    person = db.session.scalar(
        select(Person)
        .where(Person.id == int(person_id), Person.active)
        .options(joinedload(Person.memberships).joinedload(Membership.organization))
    )
    return None if person is None else actor_for(person)


def actor_for(person: Person) -> Actor:
    return Actor(
        id=person.id,
        name=person.name,
        email=person.email,
        roles=tuple((membership.organization_id, membership.role) for membership in person.memberships),
        organization_names=tuple(dict.fromkeys(membership.organization.name for membership in person.memberships)),
        language=person.language,
    )


def requires(permission: Permission) -> Callable[[View], View]:
    """Name the permission that a view needs. A view without one answers nobody (see :func:`guard`)."""

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def permission_of(app: Flask, endpoint: str) -> Permission | None:
    """What ``endpoint`` needs; methods of a class-based view may each name their own."""
    view = app.view_functions.get(endpoint)
    by_class = getattr(view, "view_class", None)
    if by_class is not None and has_request_context():
        view = getattr(by_class, request.method.lower(), None) or view
    return getattr(view, "permission", None)


def guard(app: Flask) -> Callable[[], Response | None]:
    """The check before every request."""

    def check() -> Response | None:
        if request.endpoint is None or request.endpoint == "static":
            return None
        permission = permission_of(app, request.endpoint)
        if permission is None:
            abort(403)
        if permission in PUBLIC:
            return None
        if not current_user.is_authenticated:
            if request.path.startswith("/api/"):
                abort(401)
            return redirect(url_for("account.sign_in", next=request.full_path.rstrip("?")))
        if not current_user.may(permission):
            abort(403)
        return None

    return check


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the actor may see under one permission, as ids to filter by. ``everything`` knows no bounds."""

    everything: bool
    organization_ids: frozenset[int]
    platform_ids: frozenset[int]

    def allows(self, *, organization_id: int | None = None, platform_id: int | None = None) -> bool:
        return self.everything or organization_id in self.organization_ids or platform_id in self.platform_ids

    def insist(self, *, organization_id: int | None = None, platform_id: int | None = None) -> None:
        """Errors: ``NotFound`` outside the bounds: a stranger does not learn that the thing exists."""
        if not self.allows(organization_id=organization_id, platform_id=platform_id):
            raise NotFound("没有找到这一项，或您无权查看。")


def bounds(permission: Permission) -> Bounds:
    """The present actor's bounds under ``permission``."""
    cache: dict[Permission, Bounds] = g.setdefault("bounds", {})
    if permission not in cache:
        granted = current_user.reach(permission) if current_user.is_authenticated else Reach()
        platforms = platforms_run_by(db.session(), granted.operators, on=clock.local_date(clock.now()))
        cache[permission] = Bounds(granted.everything, granted.organizations, platforms)
    return cache[permission]


def acting_organization(permission: Permission) -> int:
    """The organization in whose name the actor acts: the chosen one, else their only or first."""
    organizations = sorted(current_user.reach(permission).organizations)
    if not organizations:
        abort(403)
    wanted = request.values.get("organization_id", type=int)
    return next((organization for organization in organizations if organization == wanted), organizations[0])
