"""A real Chromium, and a small world on a real server for it to look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.identity.passwords import hashed
from tests.integration import page_world
from tests.web_server import web_server

PASSWORD = "browser-password"
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


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

        def enter(who: str, *, size: dict[str, int] = DESK) -> Page:
            page = browser.new_context(locale="zh-CN", viewport=size).new_page()
            page.goto(f"{address}/sign-in")
            page.fill("input[name=email]", emails[who])
            page.fill("input[name=password]", PASSWORD)
            page.press("input[name=password]", "Enter")
            page.wait_for_url(lambda url: "sign-in" not in url)
            return page

        yield Site(address, world, enter)
