"""Fifty notifications at once become a few, and the user learns how many were left out."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from engine.protocol.events import Finished
from fastadv_tui.notify import deliver, settings
from fastadv_tui.notify.rate_limit import RateLimit
from fastadv_tui.notify.settings import NotifySettings
from fastadv_tui.paths import ensure_home, runs_dir
from tests.support.events import write_events
from tests.support.runs import make_run
from tests.support.webhook import webhook


def test_what_is_over_the_limit_is_counted_and_told_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, now = RateLimit(tmp_path / "sent.json", 5), [1000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    with ThreadPoolExecutor(20) as pool:
        found = [*pool.map(lambda _: limit.admit(), range(50))]
    assert sorted(found, key=str) == [0] * 5 + [None] * 45
    now[0] += 59.0
    assert limit.admit() is None
    now[0] += 2.0
    assert (limit.admit(), limit.admit()) == (46, 0)


def test_a_file_that_cannot_be_used_stops_no_message(tmp_path: Path) -> None:
    (tmp_path / "sent.json").mkdir()
    assert RateLimit(tmp_path / "sent.json", 1).admit() == 0
    assert RateLimit(tmp_path / "no" / "folder" / "sent.json", 1).admit() == 0
    (tmp_path / "damaged.json").write_text('{"times": "x"}')
    assert RateLimit(tmp_path / "damaged.json", 1).admit() == 0


def test_twelve_runs_that_fail_at_once_give_five_messages_and_one_about_the_others(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_home()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(deliver, "RateLimit", partial(RateLimit, window=2.0))
    monkeypatch.setattr(os, "environ", os.environ)  # `main` sets the home of the run
    folders = [runs_dir() / f"r{number}" for number in range(12)]
    for folder in folders:
        write_events(make_run(folder), Finished(status="failed", error="boom"))
    with webhook() as server, ThreadPoolExecutor(12) as pool:
        settings.save(NotifySettings(webhook=server.url))
        assert {*pool.map(lambda folder: deliver.main([str(folder), "ended", "0", ""]), folders)} == {0}
        titles = [got["title"] for got in server.got]
    *single, summary = titles
    assert len(single) == 5
    assert all("failed" in title for title in single)
    assert summary == "7 more notification(s) were left out"
