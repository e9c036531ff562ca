"""The house itself: who may import whom, and what no file may do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for folder in ("app", "devices", "billing") for path in (ROOT / folder).rglob("*.py")]


def offenders(pattern: str, *, but: set[str]) -> list[str]:
    found = re.compile(pattern)
    return [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if str(path.relative_to(ROOT)) not in but and found.search(path.read_text())
    ]


def test_arrows_only_point_down():
    lint = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert lint.returncode == 0, lint.stdout


def test_only_the_clock_asks_the_time():
    assert offenders(r"datetime\.now\(|date\.today\(|utcnow\(", but={"app/kernel/clock.py"}) == []


def test_only_money_rounds_money():
    assert offenders(r"ROUND_HALF|\.quantize\(", but={"app/kernel/money.py"}) == []


def test_only_the_factory_reads_the_configuration():
    assert offenders(r"^(from|import) config\b", but={"app/factory.py"}) == []


def test_lock_files_name_no_registry():
    for name in ("requirements.txt", "requirements-dev.txt", "package-lock.json"):
        assert "://" not in re.sub(r'"(url|funding)": "[^"]*"', "", (ROOT / name).read_text()), name
