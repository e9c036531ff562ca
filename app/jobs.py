"""The timetable: everything that runs by the clock, as data.

Each job does one portion and says how much it did; it is called again at once while there is more.
All are idempotent, so a job that was cut off or ran twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from flask import Flask, current_app
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.booking.lapsing import declare_no_shows, finish_overdue, lapse
from app.booking.reminding import remind, remind_of_expiry
from app.booking.waiting import offer_freed
from app.catalogue.models import Platform
from app.catalogue.special_days import seed_special_days
from app.identity.mailing import send_waiting
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.long_work import LongWork, Step, advance
from app.kernel.secrets import key_for
from app.letters import letter_for
from billing.adding_up import add_up_due
from billing.assessing import assess_platform
from billing.charging import charge_unused, charge_usage
from billing.charging_fees import charge_fees
from billing.charging_services import charge_services
from billing.closing import KIND as PERIOD_CLOSE
from billing.closing import close_portion
from billing.dossier.writing import FOLDER as DOSSIERS
from billing.dossier.writing import KIND as DOSSIER
from billing.dossier.writing import House, write_portion
from billing.holding import release_holds
from billing.journal import post_documents
from billing.paying_from_deposits import settle_from_deposits
from billing.printing import print_month
from billing.recognizing import recognize_revenue
from billing.red_letters import expire_red_requests
from billing.reminding import remind_of_due
from billing.sharing import propose_shares
from devices.entering import book_silent_use
from devices.interlocking import decide_power
from devices.metering import meter_readings
from devices.refusals import refusals_since
from devices.sealing import seal_readings
from devices.usage import live_states, usage_of_reservations
from devices.watching import watch

log = logging.getLogger("pilotshare.jobs")
PORTION = 200


@dataclass(frozen=True, slots=True)
class Job:
    """What to do how often. ``work`` returns how many things it did; a full ``portion`` means there is more."""

    name: str
    every: timedelta
    work: Callable[[Session, datetime], int]
    portion: int = PORTION


def metering(session: Session, at: datetime) -> int:
    return meter_readings(session, at=at, limit=PORTION)


def booking_silent_use(session: Session, at: datetime) -> int:
    return book_silent_use(session, at=at, limit=PORTION)


def interlocking(session: Session, at: datetime) -> int:
    return decide_power(session, at=at, limit=PORTION)


def charging(session: Session, at: datetime) -> int:
    return charge_usage(session, until=at, at=at, limit=PORTION)


def charging_unused(session: Session, at: datetime) -> int:
    return charge_unused(session, at=at, limit=PORTION)


def charging_services(session: Session, at: datetime) -> int:
    return charge_services(session, until=at, at=at, limit=PORTION)


def charging_fees(session: Session, at: datetime) -> int:
    return charge_fees(session, at=at, limit=PORTION)


def recognizing(session: Session, at: datetime) -> int:
    return recognize_revenue(session, at=at, limit=PORTION)


def posting(session: Session, at: datetime) -> int:
    return post_documents(session, at=at, limit=PORTION)


def settling_from_deposits(session: Session, at: datetime) -> int:
    return settle_from_deposits(session, at=at, limit=PORTION)


def releasing_holds(session: Session, at: datetime) -> int:
    return release_holds(session, at=at, limit=PORTION)


def reminding_of_due(session: Session, at: datetime) -> int:
    return remind_of_due(session, at=at, limit=PORTION)


def proposing_shares(session: Session, at: datetime) -> int:
    propose_shares(session, at=at)
    return 0


def expiring_red_requests(session: Session, at: datetime) -> int:
    return expire_red_requests(session, at=at)


def assessing(session: Session, at: datetime) -> int:
    platforms = list(session.scalars(select(Platform.id).order_by(Platform.id)))
    for platform_id in platforms:
        assess_platform(session, platform_id, at=at)
    return 0


def adding_up(session: Session, at: datetime) -> int:
    return add_up_due(session, at=at)


def lapsing(session: Session, at: datetime) -> int:
    return lapse(session, at=at, limit=PORTION)


def offering(session: Session, at: datetime) -> int:
    return offer_freed(session, at=at, limit=PORTION)


def declaring_no_shows(session: Session, at: datetime) -> int:
    return declare_no_shows(
        session, at=at, limit=PORTION, was_used=lambda reservation_ids: usage_of_reservations(session, reservation_ids)
    )


def finishing(session: Session, at: datetime) -> int:
    def is_running(equipment_ids: Collection[int]) -> set[int]:
        seen = live_states(session, equipment_ids, at=at)
        return {equipment_id for equipment_id, state in seen.items() if state.word == "running"}

    return finish_overdue(session, at=at, limit=PORTION, is_running=is_running)


def preparing_months(session: Session, at: datetime) -> int:
    """Make this and the next month's partitions before the first reading needs them."""
    for table in ("reading", "raw_message"):
        for ahead in (timedelta(), timedelta(days=31)):
            session.execute(text("SELECT make_month(:table, :day)"), {"table": table, "day": (at + ahead).date()})
    return 0


def knowing_holidays(session: Session, at: datetime) -> int:
    """Add this and the next year's public holidays; a new release of the library may know more of them."""
    year = clock.local_date(at).year
    seed_special_days(session, (year, year + 1))
    return 0


def reminding(session: Session, at: datetime) -> int:
    return remind(session, at=at, limit=PORTION)


def reminding_of_expiry(session: Session, at: datetime) -> int:
    return remind_of_expiry(session, at=at, limit=PORTION)


def mailing(session: Session, at: datetime) -> int:
    """One message a transaction; without a mail server everything waits."""
    settings = current_app.config
    site = settings["PUBLIC_URL"] or f"http://{settings['HOST']}:{settings['PORT']}"
    if not (url := settings["MAIL_URL"]):
        return 0
    return send_waiting(
        session, url=url, sender=settings["MAIL_FROM"], render=partial(letter_for, site=site), at=at, limit=1
    )


def watching(session: Session, at: datetime) -> int:
    """The broker's log is read on, each part twice: what a rolled back portion read is not lost, and counted once."""
    again, behind = current_app.extensions.get("broker_log", (0, 0))
    refusals, end = refusals_since(current_app.config["FOLDER"] / "broker", again)
    current_app.extensions["broker_log"] = (behind, end)
    return watch(session, at=at, refusals=refusals)


def sealing(session: Session, at: datetime) -> int:
    return seal_readings(session, at=at, key=key_for("seals", master=current_app.config["MASTER_KEY"]))


def writing_dossiers(session: Session, work: LongWork, at: datetime) -> None:
    write_portion(session, work, at, house=dossier_house())


def dossier_house() -> House:
    """Where dossiers are kept, and the key of the house that signs them."""
    settings = current_app.config
    return House(settings["FOLDER"] / DOSSIERS, key_for("seals", master=settings["MASTER_KEY"]))


STEPS: dict[str, Step] = {PERIOD_CLOSE: close_portion, "invoice_pdfs": print_month, DOSSIER: writing_dossiers}
"""How each kind of long work does one portion."""


def long_work(session: Session, at: datetime) -> int:
    return advance(session, STEPS, at=at)


TIMETABLE = (
    Job("preparing months", timedelta(hours=6), preparing_months),
    Job("knowing holidays", timedelta(hours=12), knowing_holidays),
    Job("metering", timedelta(seconds=2), metering),
    Job("watching", timedelta(seconds=30), watching),
    Job("interlocking", timedelta(seconds=2), interlocking),
    Job("sealing", timedelta(minutes=5), sealing, portion=1),
    Job("booking silent use", timedelta(minutes=10), booking_silent_use),
    Job("lapsing", timedelta(seconds=10), lapsing),
    Job("declaring no-shows", timedelta(seconds=15), declaring_no_shows),
    Job("finishing", timedelta(seconds=30), finishing),
    Job("offering", timedelta(seconds=10), offering),
    Job("reminding", timedelta(minutes=1), reminding),
    Job("reminding of expiry", timedelta(hours=1), reminding_of_expiry),
    Job("mailing", timedelta(seconds=10), mailing, portion=1),
    Job("charging", timedelta(seconds=3), charging),
    Job("charging what was not used", timedelta(minutes=1), charging_unused),
    Job("charging commissioned work", timedelta(seconds=5), charging_services),
    Job("charging missed slots", timedelta(minutes=1), charging_fees),
    Job("recognizing", timedelta(seconds=5), recognizing),
    Job("posting", timedelta(seconds=5), posting),
    Job("settling from deposits", timedelta(seconds=15), settling_from_deposits),
    Job("releasing holds", timedelta(seconds=30), releasing_holds),
    Job("reminding of due invoices", timedelta(hours=1), reminding_of_due),
    Job("proposing shares", timedelta(minutes=10), proposing_shares),
    Job("expiring red requests", timedelta(minutes=1), expiring_red_requests),
    Job("assessing", timedelta(seconds=15), assessing),
    Job("adding up years", timedelta(minutes=1), adding_up),
    Job("long work", timedelta(seconds=1), long_work, portion=1),
)


def run(app: Flask, job: Job) -> int:
    """Do all that ``job`` finds to do now, each portion in its own transaction."""
    done = 0
    with app.app_context():
        while True:
            portion = in_transaction(lambda session: job.work(session, clock.now()))
            done += portion
            if portion < job.portion:
                break
        db.session.remove()
    if done:
        log.info("%s: %s", job.name, done)
    return done


def run_all(app: Flask) -> None:
    """Every job once, in the order of the river."""
    for job in TIMETABLE:
        run(app, job)
