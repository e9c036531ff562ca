"""A short soak; the long one is ``python -m tests.soak``."""

from __future__ import annotations

from tests.soak import soaked


def test_whatever_is_killed_what_was_metered_is_what_happened(open_folder):
    report = soaked(open_folder, meters=20, minutes=1.5, seed=7)
    assert not report.wrong, str(report)
    assert report.seen["readings stored"] > 5_000
    assert report.seen["runs metered as they were"] > 0
