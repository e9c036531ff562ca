"""For administrators: whether every stage keeps up, and who did what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask_babel import gettext
from sqlalchemy import func, select, text
from werkzeug.wrappers import Response

from app.identity.models import Notice, Person
from app.identity.rules.notice import MailState
from app.identity.rules.permission import TABLE, Permission, Role
from app.kernel import clock
from app.kernel.audit import AuditEntry
from app.kernel.db import db
from app.web.access import requires
from app.web.exports import Column, download
from app.web.paging import page_of, wanted_file
from billing.models import Assessment, Charge, UseSettlement
from billing.settling import WAITING
from devices.models import DeadLetter, DisputedReading, LateChange, Meter, MeteringTask, UsageSession
from devices.usage import live_states

pages = Blueprint("admin", __name__)
LISTENER_LATE = timedelta(minutes=2)
WORKER_LATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of life or of trouble: what it is, its figure, and whether it is well."""

    word: str
    figure: Any
    well: bool
    note: str = ""


@pages.get("/admin")
@requires(Permission.SEE_HEALTH)
def health() -> str:
    return render_template("health.html", signs=signs(), table=TABLE, roles=list(Role))


@pages.get("/admin/audit")
@requires(Permission.SEE_AUDIT)
def audit() -> Response | str:
    subject = request.args.get("subject", "")
    query = select(AuditEntry).order_by(AuditEntry.id.desc())
    if subject:
        query = query.where(AuditEntry.subject == subject)
    if form := wanted_file():
        columns: list[Column[AuditEntry]] = [
            Column(gettext("做了什么"), lambda one: one.deed),
            Column(gettext("时间"), lambda one: one.at, "time"),
            Column(gettext("谁"), lambda one: one.person_id, "number"),
            Column(gettext("对象"), lambda one: one.subject),
            Column(gettext("编号"), lambda one: one.subject_id, "number"),
            Column(gettext("细节"), lambda one: one.detail),
        ]
        return download("audit", columns, db.session.scalars(query), form=form)
    page = page_of(db.session(), query)
    people = {
        row.id: row.name
        for row in db.session.execute(
            select(Person.id, Person.name).where(Person.id.in_({one.person_id for one in page.rows if one.person_id}))
        )
    }
    subjects = db.session.scalars(select(AuditEntry.subject).distinct().order_by(AuditEntry.subject)).all()
    return render_template("audit.html", page=page, people=people, subject=subject, subjects=subjects)


def signs() -> list[Sign]:
    """What tells that each stage of the river runs, oldest stage first."""
    session, now = db.session(), clock.now()

    def count(table: Any, *where: Any) -> int:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0

    heard: datetime | None = session.scalar(
        text("SELECT max(received_at) FROM raw_message WHERE received_at > :since"), {"since": now - timedelta(days=1)}
    )
    equipment = session.scalars(select(Meter.equipment_id).where(Meter.active)).all()
    silent = sum(one.word == "silent" for one in live_states(session, equipment, at=now).values())
    waiting = session.scalar(select(func.count()).select_from(MeteringTask)) or 0
    assessed = session.scalar(select(func.max(Assessment.assessed_at)))
    size = session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    return [
        Sign(gettext("数据库"), f"{size / 1_000_000:,.0f} MB", True),
        Sign(
            gettext("最近收到的报文"),
            heard,
            heard is not None and now - heard < LISTENER_LATE,
            gettext("接收进程停止或所有电表都无信号时，这里会变旧。"),
        ),
        Sign(gettext("无信号的电表"), silent, silent == 0, gettext("请看电表页。")),
        Sign(gettext("等待整理的电表"), waiting, waiting <= len(equipment), gettext("后台进程停止时会堆积。")),
        Sign(gettext("最近整理出的使用记录"), session.scalar(select(func.max(UsageSession.derived_at))), True),
        Sign(gettext("最近计费"), session.scalar(select(func.max(Charge.charged_at))), True),
        Sign(gettext("最近测算补助"), assessed, True),
        Sign(
            gettext("等待发出的邮件"),
            count(Notice, Notice.mail == MailState.WAITING),
            bool(current_app.config["MAIL_URL"]),
            "" if current_app.config["MAIL_URL"] else gettext("没有设置邮件服务器（MAIL_URL），邮件都在等待。"),
        ),
        Sign(
            gettext("未能送达的邮件"),
            count(Notice, Notice.mail == MailState.FAILED),
            count(Notice, Notice.mail == MailState.FAILED, Notice.created_at > now - timedelta(days=7)) == 0,
        ),
        Sign(
            gettext("不能读懂的报文"),
            count(DeadLetter),
            count(DeadLetter, DeadLetter.received_at > now - timedelta(days=1)) == 0,
        ),
        Sign(gettext("互相矛盾的读数"), count(DisputedReading), count(DisputedReading) == 0),
        Sign(gettext("没能计费的使用"), count(UseSettlement, UseSettlement.status.in_(WAITING)), True),
        Sign(
            gettext("开具后到达的读数"),
            count(LateChange, LateChange.resolved_at.is_(None)),
            count(LateChange, LateChange.resolved_at.is_(None)) == 0,
        ),
    ]
