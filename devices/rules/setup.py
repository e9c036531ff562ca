"""What to type into a device so that it speaks to us: one text for each dialect, and what to look after.

The names of settings are those of the firmware: Tasmota 12 and later, Shelly Gen2 and Gen3, Zigbee2MQTT 2.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from app.identity.rules.notice import msgid
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, topic_of

HIDDEN = "••••••"
METRICS = (
    ("power_w", "Double", "W"),
    ("energy_wh", "Double", "Wh"),
    ("running", "Boolean", ""),
    ("count", "Int64", ""),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker is for devices. ``authority`` is where its CA certificate is loaded from, "" if none is."""

    host: str
    port: int
    tls: bool = False
    authority: str = ""
    fingerprint: str = ""


def setup_text(dialect: Dialect, place: Place, *, code: str, password: str) -> str:
    """The configuration, ready to be pasted (and drawn as a QR code). ``HIDDEN`` as password where it is not shown."""
    match dialect:
        case Dialect.NATIVE:
            return _laid_out({**_account(place, code, password), "topics": _native_topics(code)})
        case Dialect.TASMOTA:
            return _tasmota(place, code, password)
        case Dialect.SHELLY:
            return _laid_out(_shelly(place, code, password))
        case Dialect.ZIGBEE2MQTT:
            return _zigbee2mqtt(place, code, password)
        case Dialect.SPARKPLUG:
            node = {"group_id": f"ps{shard_of(code)}", "edge_node_id": code}
            metrics = [{"name": name, "type": kind, "engUnit": unit} for name, kind, unit in METRICS]
            return _laid_out({**_account(place, code, password), **node, "metrics": metrics})


def setup_notes(dialect: Dialect) -> list[str]:
    """What a person should know who sets such a device up: message ids."""
    return NOTES[dialect]


def about(dialect: Dialect) -> str:
    """For whom who has to choose: a message id."""
    return ABOUT[dialect]


def _account(place: Place, code: str, password: str) -> dict[str, object]:
    told: dict[str, object] = {"url": _url(place), "username": code, "password": password}
    if place.tls and place.authority:
        told |= {"ca": place.authority, "ca_sha256": place.fingerprint}
    return told


def _native_topics(code: str) -> dict[str, str]:
    suffixes = ("data", "signed", "relay", "status", "ack", "backfill", "cmd")
    return {suffix: topic_of(code, suffix) for suffix in suffixes}


def _tasmota(place: Place, code: str, password: str) -> str:
    """One line for the console. Tasmota takes at most 30 commands in one ``Backlog``."""
    settings = {
        "MqttHost": place.host,
        "MqttPort": place.port,
        "MqttUser": code,
        "MqttPassword": password,
        "Topic": code,
        "FullTopic": f"m/{shard_of(code)}/%topic%/%prefix%/",
        "SetOption103": int(place.tls),  # TLS
        "TelePeriod": 10,
        "PowerDelta1": 110,  # tell a change of 10 W at once
        "EnergyRes": 5,
        "WattRes": 2,
        "SensorRetain": 0,
        "PowerRetain": 0,
        "NtpServer1": "ntp.aliyun.com",
        "Timezone": "+08:00",
        "Time": 2,  # with Epoch, which is UTC
        "SetOption3": 1,  # MQTT on
    }
    return "Backlog " + "; ".join(f"{name} {value}" for name, value in settings.items())


def _shelly(place: Place, code: str, password: str) -> dict[str, object]:
    config = {
        "enable": True,
        "server": f"{place.host}:{place.port}",
        "client_id": code,
        "user": code,
        "pass": password,
        "ssl_ca": ("user_ca.pem" if place.authority else "ca.pem") if place.tls else None,
        "topic_prefix": topic_of(code, "").removesuffix("/"),
        "rpc_ntf": True,
        "status_ntf": False,
        "enable_rpc": True,
        "enable_control": False,
    }
    return {"id": 1, "method": "MQTT.SetConfig", "params": {"config": config}}


def _zigbee2mqtt(place: Place, code: str, password: str) -> str:
    """Part of ``configuration.yaml``. What is written here needs no quoting in YAML but the strings that have it."""
    lines = [
        "mqtt:",
        f"  base_topic: {topic_of(code, '').removesuffix('/')}",
        f'  server: "{_url(place)}"',
        f'  user: "{code}"',
        f'  password: "{password}"',
        "  version: 5",
    ]
    if place.tls:
        lines += ["  reject_unauthorized: true"]
        lines += [f"  ca: /app/data/ca.crt  # {place.authority}"] if place.authority else []
    lines += [
        "advanced:",
        "  last_seen: ISO_8601",
        "  cache_state: false",
        "  cache_state_send_on_startup: false",
        "  output: json",
        "device_options:",
        "  qos: 1",
        "  retain: false",
        "",
    ]
    return "\n".join(lines)


def _url(place: Place) -> str:
    return f"{'mqtts' if place.tls else 'mqtt'}://{place.host}:{place.port}"


def _laid_out(value: dict[str, object]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


ABOUT: dict[Dialect, str] = {
    Dialect.NATIVE: msgid("固件可以自己写的电表或仪器：读数带编号，收到确认才删除，断网补发，可签名。最可靠。"),
    Dialect.TASMOTA: msgid("刷了 Tasmota 固件的插座或电表：没有编号，断网时的读数会丢，累计电量不丢。"),
    Dialect.SHELLY: msgid("Shelly 第二、三代插座和多路电表：每一路可登记为一个通道。"),
    Dialect.ZIGBEE2MQTT: msgid("Zigbee 插座：先登记网桥，再把每个插座登记为经它通信的通道。"),
    Dialect.SPARKPLUG: msgid("工业网关（Sparkplug B）：节点后的每台设备可登记为一个通道。"),
}
NOTES: dict[Dialect, list[str]] = {
    Dialect.NATIVE: [
        msgid("读数按 boot 和 seq 编号，收到 ack 之前留在表里；收到 backfill 就重发所要的序号。"),
        msgid("功率单位 W，累计电量单位 Wh，时间为 UTC 毫秒。"),
        msgid("请用 MQTT 5 和 QoS 1：MQTT 3.1.1 不会告诉电表发布被拒绝。"),
    ],
    Dialect.TASMOTA: [
        msgid("把整行粘贴到 Tasmota 的“控制台”，它会重启一次。"),
        msgid("时区须为 +08:00，Time 须为 2：否则读数的时间会错。"),
        msgid("TelePeriod 默认 300 秒，看不到短时间的使用；这里改为 10 秒。"),
        msgid("不要使用 EnergyTotal 和 EnergyReset：电量会被标为跳变。Total 的单位是 kWh。"),
        msgid("加密连接只有带 TLS 的固件（如 tasmota32）支持，首次连接时会记住服务器的指纹。"),
    ],
    Dialect.SHELLY: [
        msgid(
            "存为 mqtt.json，执行 curl -d @mqtt.json http://插座地址/rpc，再打开 http://插座地址/rpc/Shelly.Reboot。"
        ),
        msgid("加密连接要先用 Shelly.PutUserCA 上传 CA 证书。"),
        msgid("插座须能访问 SNTP 服务器：没有时间的读数不采用。"),
        msgid("rpc_ntf 须为 true。aenergy.total 的单位是 Wh；负载平稳时约每分钟才报一次，断档上限请设为 180 秒以上。"),
    ],
    Dialect.ZIGBEE2MQTT: [
        msgid("写入 configuration.yaml 后重启 Zigbee2MQTT。"),
        msgid("这里登记的是网桥；每个插座另行登记，通道填它的 friendly_name。"),
        msgid("last_seen 和 cache_state 须照此设置：缓存的旧值会被当成新读数，没有时间的插座不宜计费。"),
        msgid("不要设置 debounce 和 throttle；功率的最长上报间隔应小于断档上限。energy 的单位是 kWh。"),
    ],
    Dialect.SPARKPLUG: [
        msgid("组为 ps 加分区号，节点为表计编号；节点后的设备登记为它的通道。"),
        msgid("电量须是只增不减的累计值，名称或 engUnit 带单位 Wh 或 kWh，否则不采用。"),
        msgid(
            "Sparkplug 用 QoS 0，断线时的数据会丢：节点须能缓存并以 is_historical 补发，并接受 Node Control/Rebirth。"
        ),
    ],
}
