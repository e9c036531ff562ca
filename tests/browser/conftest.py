"""A real Chromium, and a small world on a real server for it to look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from app.identity.passwords import hashed
from app.kernel.db import in_transaction
from tests.browser.books import EMAILS, Books, keep_books
from tests.conftest import folder_for_servers, running_app
from tests.integration import page_world
from tests.web_server import web_server

PASSWORD = "browser-password"
DESK: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = next(
        found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))
    )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@dataclass
class Site:
    """``enter`` signs one of the world's people in and gives a page of their own."""

    address: str
    world: page_world.World
    enter: Callable[..., Page]


def entrance(browser: Browser, address: str, emails: Mapping[str, str]) -> Callable[..., Page]:
    """Call it with one of the people's names for a page of their own, signed in."""

    def enter(who: str, *, size: ViewportSize = DESK) -> Page:
        page = browser.new_context(locale="zh-CN", viewport=size).new_page()
        page.goto(f"{address}/sign-in")
        page.fill("input[name=email]", emails[who])
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    return enter


@pytest.fixture
def site(app, session, database_url, open_folder, browser) -> Iterator[Site]:
    world = page_world.build(session)
    secret = hashed(PASSWORD)
    for person in world.people.values():
        person.password_hash = secret
    emails = {who: person.email for who, person in world.people.items()}
    session.commit()
    with web_server(database_url, open_folder) as port:
        address = f"http://127.0.0.1:{port}"

        yield Site(address, world, entrance(browser, address, emails))


@dataclass
class BooksSite:
    """``enter`` signs in ``finance`` or ``firm``; ``house`` is the application, for jobs to be done there."""

    address: str
    books: Books
    enter: Callable[..., Page]
    house: Callable[[], AbstractContextManager[Flask]]


@pytest.fixture(scope="session")
def books_site(new_database, browser) -> Iterator[BooksSite]:
    """One world for all journeys about money, each with firms of its own."""
    url = new_database()
    with folder_for_servers() as folder:
        with running_app(url, folder):
            books = in_transaction(lambda session: keep_books(session, secret=hashed(PASSWORD)))
        with web_server(url, folder) as port:
            address = f"http://127.0.0.1:{port}"
            yield BooksSite(address, books, entrance(browser, address, EMAILS), lambda: running_app(url, folder))
