"""The wire format of Sparkplug B: Eclipse Tahu's field numbers, described here so that nothing is generated.

The ``protobuf`` library reads and writes the bytes: a hand-written decoder would be as long as this description
and would have to earn the trust that the library has. Names are bytes, as they may hold anything. Data sets,
templates and metadata are left out; a reader of protobuf skips what is not described.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "pilotshare.sparkplug"
Field = descriptor_pb2.FieldDescriptorProto

MESSAGES: dict[str, list[tuple[str, int, Any]]] = {
    "Payload": [
        ("timestamp", 1, Field.TYPE_UINT64),
        ("metrics", 2, "Metric"),
        ("seq", 3, Field.TYPE_UINT64),
        ("uuid", 4, Field.TYPE_BYTES),
        ("body", 5, Field.TYPE_BYTES),
    ],
    "Metric": [
        ("name", 1, Field.TYPE_BYTES),
        ("alias", 2, Field.TYPE_UINT64),
        ("timestamp", 3, Field.TYPE_UINT64),
        ("datatype", 4, Field.TYPE_UINT32),
        ("is_historical", 5, Field.TYPE_BOOL),
        ("is_transient", 6, Field.TYPE_BOOL),
        ("is_null", 7, Field.TYPE_BOOL),
        ("properties", 9, "PropertySet"),
        ("int_value", 10, Field.TYPE_UINT32),
        ("long_value", 11, Field.TYPE_UINT64),
        ("float_value", 12, Field.TYPE_FLOAT),
        ("double_value", 13, Field.TYPE_DOUBLE),
        ("boolean_value", 14, Field.TYPE_BOOL),
        ("string_value", 15, Field.TYPE_BYTES),
    ],
    "PropertySet": [("keys", 1, Field.TYPE_BYTES), ("values", 2, "PropertyValue")],
    "PropertyValue": [
        ("type", 1, Field.TYPE_UINT32),
        ("is_null", 2, Field.TYPE_BOOL),
        ("string_value", 8, Field.TYPE_BYTES),
    ],
}
REPEATED = {"metrics", "keys", "values"}
INT32, INT64, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING = 3, 4, 7, 8, 9, 10, 11, 12
"""The numbers of data types, for ``datatype``."""


def _payload() -> Any:
    described = descriptor_pb2.FileDescriptorProto(
        name="pilotshare/sparkplug_b.proto", package=PACKAGE, syntax="proto2"
    )
    for name, fields in MESSAGES.items():
        message = described.message_type.add(name=name)
        for field, number, kind in fields:
            label = Field.LABEL_REPEATED if field in REPEATED else Field.LABEL_OPTIONAL
            one = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                one.type, one.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                one.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Payload"))


Payload = _payload()
"""The message class: ``Payload(timestamp=…, seq=…)``, ``.metrics.add(name=b"…")``, ``.SerializeToString()``."""
