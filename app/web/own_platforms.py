"""Which of their platforms an operator looks at."""

from __future__ import annotations

from collections.abc import Sequence

from flask import request
from sqlalchemy import select

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.kernel.errors import NotFound
from app.web.access import bounds


def own_platforms(permission: Permission) -> Sequence[Platform]:
    """The platforms that the actor may act for, by name."""
    limits = bounds(permission)
    query = select(Platform).order_by(Platform.name_zh)
    if not limits.everything:
        query = query.where(Platform.id.in_(limits.platform_ids))
    return db.session.scalars(query).all()


def chosen_platform(permission: Permission) -> Platform:
    """The platform that the address or form names; the actor's first where none is named. Errors: ``NotFound``."""
    own = own_platforms(permission)
    if not own:
        raise NotFound("您名下没有平台。请联系系统管理员登记运营主体。")
    wanted = request.values.get("platform_id", type=int)
    found = own[0] if wanted is None else next((one for one in own if one.id == wanted), None)
    if found is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return found
