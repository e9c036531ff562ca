"""Why a message is kept aside, in a person's words, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from app.identity.rules.notice import msgid


class Advice(NamedTuple):
    """Message ids."""

    reason: str
    remedy: str


ADVICE: dict[str, Advice] = {
    "not_json": Advice(msgid("不是 JSON"), msgid("请核对方言：电表按另一种方言登记了，或固件发来残缺的内容。")),
    "not_protobuf": Advice(msgid("不是 Sparkplug 内容"), msgid("请核对方言，或在节点上改用 Sparkplug B。")),
    "invalid_field": Advice(msgid("有一项读不懂"), msgid("原因栏写明是哪一项，请在设备上改正。")),
    "out_of_range": Advice(msgid("数值不可能"), msgid("请核对单位（W、Wh、kWh）和量程。")),
    "says_nothing": Advice(msgid("没有电量也没有功率"), msgid("请在设备上打开电量统计。")),
    "ambiguous": Advice(msgid("同一项有两个值"), msgid("请让每个通道只上报一次功率和电量。")),
    "unclear_unit": Advice(msgid("单位不明"), msgid("请在名称或 engUnit 中写明 Wh 或 kWh。")),
    "clock_not_set": Advice(msgid("设备没有时间"), msgid("请让设备能访问时间服务器（NTP），并设好时区。")),
    "clock_ahead": Advice(msgid("设备时间超前"), msgid("请校准设备的时间和时区。")),
    "unsigned": Advice(msgid("没有签名"), msgid("本表只接受签名的读数：请检查固件，或取消“只接受签名”。")),
    "unknown_key": Advice(
        msgid("签名用的密钥没有登记"), msgid("是本表的新密钥就登记公钥；不是则可能有人冒充，请撤销密码。")
    ),
    "key_not_valid": Advice(msgid("签名用的密钥已过期或未生效"), msgid("请在设备上换用有效的密钥。")),
    "bad_signature": Advice(msgid("签名不符"), msgid("内容被改动或有人冒充：请检查设备，必要时撤销密码。")),
    "wrong_topic": Advice(msgid("主题不对"), msgid("请按“设备设置”一栏核对主题和分区。")),
    "unknown_meter": Advice(msgid("没有登记这台电表"), msgid("请登记它，或找出是谁在发送。")),
    "unknown_channel": Advice(
        msgid("没有登记这个通道"), msgid("请把它登记为经本设备通信的电表；不需要计量的可以不管。")
    ),
    "inactive_meter": Advice(msgid("电表已停用"), msgid("要继续计量请启用它，否则请断开设备。")),
    "too_large": Advice(msgid("报文过大"), msgid("请减少每条报文的读数，最多 256 KiB。")),
}
UNFORESEEN = Advice(msgid("不能读懂"), msgid("请把报文交给技术人员。"))


def advice_for(reason: str) -> Advice:
    return ADVICE.get(reason, UNFORESEEN)
