"""What is wrong with a price, in the words of the editor: the rules speak of the keys of a file."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from app.kernel.errors import Refusal
from app.web.errors import sentence

LABELS: dict[str, Any] = {
    "rate": _l("单价"),
    "setup_fee": _l("开机费"),
    "minimum_charge": _l("最低收费"),
    "increment_minutes": _l("步长"),
    "lead_minutes": _l("不计费的准备"),
    "post_minutes": _l("不计费的收尾"),
    "free_quantity": _l("免费数量"),
    "quantity_step": _l("数量进位到"),
    "vat_rate": _l("税率"),
    "bands": _l("时段优惠"),
    "increment_rounding": _l("取整"),
    "from": _l("时段的开始"),
    "to": _l("时段的结束"),
    "days": _l("时段的星期"),
    "percent_off": _l("优惠"),
    "up_to": _l("阶梯的上限"),
    "flat": _l("阶梯的固定价"),
    "package_size": _l("每份数量"),
    "package_price": _l("每份价格"),
    "notice_minutes": _l("加急的小时数"),
    "percent": _l("加急加收"),
    "free_until_minutes_before": _l("提前免费的小时数"),
    "grace_minutes": _l("宽限"),
    "fee": _l("固定费"),
    "percent_of_price": _l("预约价的百分比"),
}
SENTENCES: dict[str, Any] = {
    '%(where)s 是金额，应写成两位小数的文本，例如 "100.00"。': _l("“%(label)s”应是金额，最多两位小数，例如 100.00。"),
    '%(where)s 应写成不为负的数字文本，例如 "12.5"。': _l("“%(label)s”应是不为负的数字，例如 12.5。"),
    '%(where)s 是税率，应写成小于 1 的文本，例如 6 个百分点写成 "0.06"。': _l(
        "“%(label)s”应是小于 100 的百分数，例如 6。"
    ),
    "%(where)s 应是整数分钟，不少于 %(least)s。": _l("“%(label)s”应是整数分钟，不少于 %(least)s。"),
    "%(where)s 应大于零。": _l("“%(label)s”应大于零。"),
    "%(where)s 是百分数，应在 0 至 100 之间。": _l("“%(label)s”是百分数，应在 0 至 100 之间。"),
    "%(where)s 只用于按小时计费，请删去。": _l("“%(label)s”只用于按小时计费，请清空。"),
    "%(where)s 只用于按数量计费，请删去。": _l("“%(label)s”只用于按数量计费，请清空。"),
    "%(where)s 只用于按使用（usage）或预约加使用（union）计费，请删去。": _l("“%(label)s”不用于这种计费方式，请清空。"),
    "%(where)s 至少要有一天。": _l("请为时段选择至少一天。"),
    "%(where)s 应晚于 from；跨夜的时段请分成两段，前一段到 24:00。": _l(
        "时段的结束应晚于开始；跨夜的时段请分成两段，前一段到 24:00。"
    ),
    '%(where)s 应写成 HH:MM，例如 "08:30"。': _l("“%(label)s”应写成 08:30 这样的时间。"),
    "缺少 %(where)s，请补上。": _l("请填写“%(label)s”。"),
    "%(where)s 应大于前一级的上限。": _l("“%(label)s”应大于前一档的上限。"),
    "%(where)s 至少要有一级阶梯。": _l("请至少填写一档阶梯。"),
    "只有人工（labour）附加费可以按小时计。": _l("只有人工费可以按小时计；其他种类请改选数量单位。"),
    "rate 与 tiers 须给出且只给出一个。": _l("请填写单价；用阶梯或套餐时，单价留空。"),
}


def told_in_the_editor(refusal: Refusal) -> str:
    """The refusal's sentence with the label of its field; its own words where the editor has no others."""
    key = (refusal.field or "").rsplit(".", 1)[-1]
    if refusal.sentence not in SENTENCES:
        return sentence(refusal)
    said = str(SENTENCES[refusal.sentence])
    if "%(label)s" in said and key not in LABELS:
        return sentence(refusal)
    return said % {**refusal.facts, "label": LABELS.get(key, "")} if "%(" in said else said
