"""An alert in a person's words: what is so, and what to do. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _l

from app.web.formats import moment
from app.web.words import word_of
from devices.models import MeterAlert
from devices.rules.advice import advice_for
from devices.rules.alert import AlertKind
from devices.rules.evidence import Evidence, Flag, LateCause


def alert_sentence(alert: MeterAlert) -> str:
    """What is so."""
    return _SAID[alert.kind](alert.facts)


def alert_remedy(alert: MeterAlert) -> str:
    """What to do about it."""
    if alert.kind is AlertKind.FORGED and alert.facts.get("reason") == "broker":
        return gettext("请核对这台设备的用户名、密码和主题；不是自己的设备，请撤销它的密码。")
    if "reason" in alert.facts:
        return gettext(advice_for(alert.facts["reason"]).remedy)
    return str(REMEDIES[alert.kind])


def since(alert: MeterAlert) -> str:
    return gettext("自 %(at)s 起，共 %(times)s 次", at=moment(alert.raised_at), times=alert.times)


def length_said(seconds: int) -> str:
    length = timedelta(seconds=seconds)
    if length < timedelta(minutes=2):
        return gettext("%(seconds)s 秒", seconds=seconds)
    if length < timedelta(hours=2):
        return gettext("%(minutes)s 分钟", minutes=seconds // 60)
    return gettext("%(hours)s 小时", hours=seconds // 3600)


REMEDIES: dict[AlertKind, Any] = {
    AlertKind.SILENT: _l("请检查电表的供电和网络；期间的使用没有计量，可按预约或人工录入。"),
    AlertKind.GAP: _l("系统会继续向电表索要；设备已没有这些读数时，请写明原因并选择不处理。"),
    AlertKind.CLOCK_DRIFT: _l("请校准电表的时间和时区（NTP），否则使用时段会偏移。"),
    AlertKind.DISPUTE: _l("先到的一条有效，请核对两条内容并裁定。"),
    AlertKind.COUNTER: _l("请核对电表计数是否被清零或更换，再复核这次使用的电量。"),
    AlertKind.DOUBTFUL_SESSION: _l("请复核这条使用记录，复核后才会计费。"),
    AlertKind.LATE_CHANGE: _l("请查看变化，需要时更正费用；结算单不会自动改动。"),
    AlertKind.UNCONFIRMED_COMMAND: _l("请到现场查看设备是否通电，再检查电表的网络。"),
}


def _moment(text: str) -> str:
    return moment(datetime.fromisoformat(text))


def _silent(facts: dict[str, Any]) -> str:
    if facts["heard_at"] is None:
        return gettext("登记于 %(at)s，至今没有收到读数。", at=_moment(facts["created_at"]))
    return gettext("最后一次读数在 %(at)s。", at=_moment(facts["heard_at"]))


def _gap(facts: dict[str, Any]) -> str:
    if facts["first"] == 0:
        return gettext("节点的消息有遗漏，已要求它重新上线；在此之前只采用它的累计读数。")
    return gettext(
        "第 %(boot)s 次启动的读数缺少 %(missing)s 个（编号 %(first)s 至 %(last)s 之间），已索要 %(asked)s 次。",
        **{name: facts[name] for name in ("boot", "missing", "first", "last", "asked")},
    )


def _drift(facts: dict[str, Any]) -> str:
    if "drift_s" not in facts:
        return _letter(facts)
    if facts["drift_s"] > 0:
        return gettext("电表时钟比系统慢约 %(length)s。", length=length_said(facts["drift_s"]))
    return gettext("电表时钟比系统快约 %(length)s。", length=length_said(-facts["drift_s"]))


def _letter(facts: dict[str, Any]) -> str:
    return gettext("%(reason)s：%(detail)s", reason=gettext(advice_for(facts["reason"]).reason), detail=facts["detail"])


def _forged(facts: dict[str, Any]) -> str:
    if facts["reason"] != "broker":
        return _letter(facts)
    if facts["topic"] == "connect":
        return gettext("MQTT 服务拒绝了“%(client)s”的连接：用户名或密码不对。", client=facts["client"] or "?")
    return gettext(
        "MQTT 服务拒绝了“%(client)s”发往 %(topic)s 的报文：这不是它的主题。",
        client=facts["client"],
        topic=facts["topic"],
    )


def _dispute(facts: dict[str, Any]) -> str:
    return gettext("同一编号（启动 %(boot)s，编号 %(seq)s）收到内容不同的读数。", boot=facts["boot"], seq=facts["seq"])


def _counter(facts: dict[str, Any]) -> str:
    return gettext("%(at)s 开始的使用中电表计数被重置或跳变，电量含估算。", at=_moment(facts["started_at"]))


def _doubtful(facts: dict[str, Any]) -> str:
    doubts = [str(word_of(Flag(flag))) for flag in facts["flags"]] or [str(word_of(Evidence(facts["evidence"])))]
    return gettext("%(at)s 开始的使用依据不足：%(why)s。", at=_moment(facts["started_at"]), why="、".join(doubts))


def _late(facts: dict[str, Any]) -> str:
    return gettext("已开具结算单的使用因“%(cause)s”会有不同结果。", cause=word_of(LateCause(facts["cause"])))


def _command(facts: dict[str, Any]) -> str:
    told = {"at": _moment(facts["asked_at"]), "tries": facts["tries"]}
    if facts["on"]:
        return gettext("%(at)s 要求通电，已发送 %(tries)s 次，电表没有确认。", **told)
    return gettext("%(at)s 要求断电，已发送 %(tries)s 次，电表没有确认。", **told)


_SAID: dict[AlertKind, Callable[[dict[str, Any]], str]] = {
    AlertKind.SILENT: _silent,
    AlertKind.GAP: _gap,
    AlertKind.CLOCK_DRIFT: _drift,
    AlertKind.UNREADABLE: _letter,
    AlertKind.FORGED: _forged,
    AlertKind.DISPUTE: _dispute,
    AlertKind.COUNTER: _counter,
    AlertKind.DOUBTFUL_SESSION: _doubtful,
    AlertKind.LATE_CHANGE: _late,
    AlertKind.UNCONFIRMED_COMMAND: _command,
}
