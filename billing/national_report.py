"""What the national instrument network asks of a year: instruments, service records and units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Integer, any_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, joinedload

from app.catalogue.models import Equipment, Platform
from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization
from app.kernel import clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import local_year
from app.kernel.money import ZERO, Money
from billing.models import Charge, Invoice, InvoiceLine
from billing.rules import national
from billing.rules.national import Row, in_hours, in_ten_thousands
from billing.rules.words import ChargeState, InvoiceKind
from devices.use_totals import EquipmentUse, ServedRun, served_runs, use_by_equipment

MOST_RECORDS = 100_000


@dataclass(frozen=True, slots=True)
class NationalReport:
    """The three sheets, by the network's field names."""

    year: int
    instruments: Sequence[Row]
    records: Sequence[Row]
    units: Sequence[Row]


def national_report(
    session: Session,
    year: int,
    *,
    platform_ids: Collection[int],
    fees: Mapping[int, str],
    addresses: Mapping[int, str],
) -> NationalReport:
    """Put together for these platforms. Six statements, O(sessions of the year).

    ``fees`` and ``addresses`` say of an equipment id its price and its page.
    Errors: ``InvalidInput`` for more service records than one file holds; ``Conflict`` where they contradict the hours.
    """
    equipment = session.scalars(
        select(Equipment)
        .where(Equipment.platform_id == any_(cast(sorted(platform_ids), ARRAY(Integer))))
        .options(joinedload(Equipment.platform).joinedload(Platform.host))
        .order_by(Equipment.code)
    ).all()
    # Several listings may be one device: what was used of any of them was used of the device.
    device_of = {one.id: one.shares_id or one.id for one in equipment}
    devices = [one for one in equipment if one.shares_id is None]
    codes = {one.id: one.code for one in devices}
    within = local_year(year)
    use: dict[int, EquipmentUse] = defaultdict(EquipmentUse)
    for number, told in use_by_equipment(session, within, platform_ids=platform_ids).items():
        use[device_of[number]] += told
    runs = served_runs(session, within, platform_ids=platform_ids, limit=MOST_RECORDS + 1)
    check_size(year, len(runs))
    recorded: dict[int, timedelta] = defaultdict(timedelta)
    for run in runs:
        recorded[device_of[run.equipment_id]] += run.running
    if any(recorded[one.id] > use[one.id].service for one in devices):
        raise Conflict("服务记录的合计大于服务机时：导出时数据有变化。请再导出一次。")
    return NationalReport(
        year,
        [_instrument(one, use[one.id], fees.get(one.id, ""), addresses.get(one.id, "")) for one in devices],
        _records(session, runs, {number: codes[device] for number, device in device_of.items()}),
        _units(session, year, devices),
    )


def check_size(year: int, records: int) -> None:
    """Errors: ``InvalidInput`` for more service records than one file holds."""
    if records > MOST_RECORDS:
        raise InvalidInput(
            "%(year)s 年的服务记录超过 %(most)s 条，一个文件放不下。请按平台分别导出。",
            field="platform",
            year=year,
            most=MOST_RECORDS,
        )


def _instrument(one: Equipment, use: EquipmentUse, fee: str, address: str) -> Row:
    host = one.platform.host
    told: dict[str, object] = {
        "innerId": one.code,
        "cname": one.name_zh,
        "ename": one.name_en,
        "insCode": host.uscc,
        "instrBelongsName": host.name,
        "province": "福建省",
        "city": "泉州市",
        "county": "晋江市",
        "street": host.town,
        "worth": in_ten_thousands(one.original_value.fen * one.units),
        "fee": fee,
        "serviceUrl": address,
        "runMachine": in_hours(use.running),
        "serviceMachine": in_hours(use.service),
    }
    return _row(national.INSTRUMENT, told)


def _records(session: Session, runs: Sequence[ServedRun], codes: Mapping[int, str]) -> list[Row]:
    """One a run. What was invoiced for it stands with tax; what was not invoiced is left empty."""
    fees = dict(
        session.execute(
            select(Charge.usage_session_id, func.sum(Charge.gross_fen))
            .where(
                Charge.usage_session_id == any_(cast([one.session_id for one in runs], ARRAY(Charge.id.type))),
                Charge.state == ChargeState.INVOICED,
            )
            .group_by(Charge.usage_session_id)
        ).all()
    )
    names = dict(
        session.execute(
            select(Organization.id, Organization.name).where(
                Organization.id == any_(cast(sorted({one.organization_id for one in runs}), ARRAY(Integer)))
            )
        ).all()
    )
    found = []
    for run in runs:
        begins, ends = (at.astimezone(clock.FACILITY_ZONE) for at in (run.when.start, run.when.end))
        fee = fees.get(run.session_id)
        told: dict[str, object] = {
            "recordInnerId": run.session_id,
            "innerId": codes[run.equipment_id],
            "amounts": None if fee is None else Money(int(fee.fen)).yuan,
            "serviceAmount": in_hours(run.running),
            "startTime": f"{begins:%Y-%m-%d %H}",
            "endTime": f"{ends:%Y-%m-%d %H}",
            "serviceWay": "委托共享" if run.commissioned else "占用共享",
            "applicantUnit": names[run.organization_id],
            "serviceType": "外部",
        }
        found.append(_row(national.SERVICE, told))
    return found


def _units(session: Session, year: int, devices: Sequence[Equipment]) -> list[Row]:
    """One a host. Income is without tax, in 万元; external is that from firms that are no related parties."""
    hosts = {one.platform.host.id: one.platform.host for one in devices}
    earned: dict[int, Money] = defaultdict(lambda: ZERO)
    external: dict[int, Money] = defaultdict(lambda: ZERO)
    documents: dict[int, int] = defaultdict(int)
    host_of = {one.platform_id: one.platform.host_id for one in devices}
    issued = (
        Invoice.platform_id == any_(cast(sorted(host_of), ARRAY(Integer))),
        Invoice.issued_on >= date(year, 1, 1),
        Invoice.issued_on < date(year + 1, 1, 1),
    )
    for platform_id, relation, net in session.execute(
        select(Invoice.platform_id, InvoiceLine.relation, func.sum(InvoiceLine.net_fen))
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .where(*issued)
        .group_by(Invoice.platform_id, InvoiceLine.relation)
    ):
        earned[host_of[platform_id]] += Money(int(net.fen))
        if relation is CustomerRelation.EXTERNAL:
            external[host_of[platform_id]] += Money(int(net.fen))
    for platform_id, count in session.execute(
        select(Invoice.platform_id, func.count())
        .where(*issued, Invoice.kind == InvoiceKind.INVOICE)
        .group_by(Invoice.platform_id)
    ):
        documents[host_of[platform_id]] += count
    found = []
    for number, host in sorted(hosts.items()):
        dear = [
            one for one in devices if one.platform.host_id == number and one.original_value.fen >= national.DEAR_FEN
        ]
        told: dict[str, object] = {
            "insCode": host.uscc,
            "name": host.name,
            "invoices": documents[number],
            "serviceIncome": in_ten_thousands(earned[number].fen),
            "externalIncome": in_ten_thousands(external[number].fen),
            "instruments500k": sum(one.units for one in dear),
            "worth500k": in_ten_thousands(sum(one.original_value.fen * one.units for one in dear)),
        }
        found.append(_row(national.UNIT, told))
    return found


def _row(names: Sequence[str], told: Mapping[str, object]) -> Row:
    """Every field by its name, in order; None where nothing is known."""
    return {name: told.get(name) for name in names}  # type: ignore[misc]
