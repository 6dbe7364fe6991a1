"""The dashboard in a browser: access by token, the page in a real browser, and that no process is left."""

import asyncio
import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

from engine.protocol.rundir import RunDir
from fastadv_tui.runs import control
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.state import load
from fastadv_tui.runs.submit import submit_run
from tests.support.browser import CHROMIUM, START, Browser
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import config, gone, make_run, verdict, wait_for_status
from tests.support.waiting import seconds, wait_until

FASTADV = [sys.executable, "-P", "-m", "fastadv_tui"]
STATIC = "/static/js/textual.js"
FORM = "─ New run"  # the title in the border of the form; the footer has "New run", too


class Served:
    """A `fastadv serve` process for one test."""

    def __init__(self, *words: str) -> None:
        command = [*FASTADV, "serve", "--port", "0", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        parts = urlsplit(self.url)
        self.port, self.token = parts.port, parts.query.removeprefix("token=")

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds(20))
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    @contextlib.asynccontextmanager
    async def page(self, query: str = "", **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A websocket, opened as the page opens it."""
        headers = {"Origin": f"http://127.0.0.1:{self.port}"} | headers
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{self.port}/ws{query}", headers=headers) as websocket,
        ):
            yield websocket

    def websocket(self, query: str = "", **headers: str) -> int:
        """The HTTP status of a websocket handshake; 101 means that the websocket is open."""

        async def shake_hands() -> int:
            async with self.page(query, **headers):
                return 101

        try:
            return asyncio.run(shake_hands())
        except aiohttp.WSServerHandshakeError as error:
            return error.status

    def dashboards(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> tuple[str, str]:
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=seconds(20))


@pytest.fixture
def serve(home: Path) -> Iterator[Callable[..., Served]]:
    opened: list[Served] = []

    def start(*words: str) -> Served:
        opened.append(Served(*words))
        return opened[-1]

    yield start
    for server in opened:
        if server.process.poll() is None:
            server.end()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    opened = Browser(tmp_path / "browser")
    yield opened
    opened.close()


def test_every_request_without_the_token_is_refused(serve: Callable[..., Served]) -> None:
    server = serve()
    for path in ("/", STATIC, "/static/", "/download/x", "/no/such/page"):
        for query in ("", "?token=", "?token=wrong", f"?token={server.token}x", "?token=%C3%A9%FF"):
            assert server.get(path + query).status == 403, path + query
        wrong = f"fastadv-{server.port}=wrong"
        assert server.get(path, Cookie=wrong).status == 403
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1:1", "localhost"):
            assert server.get(f"{path}?token={server.token}", Host=host).status == 403, host
    assert server.websocket() == 403
    assert server.websocket("?token=wrong") == 403
    assert server.websocket(f"?token={server.token}", Host=f"evil.example:{server.port}") == 403
    assert server.websocket(f"?token={server.token}", Origin="http://evil.example") == 403
    assert (
        server.websocket(f"?token={server.token}", Origin=f"http://localhost:{server.port}") == 403
    )  # an origin that differs from the Host header
    assert server.dashboards() == []


def test_the_token_opens_the_page_and_becomes_a_cookie(serve: Callable[..., Served]) -> None:
    server = serve()
    first = server.get(f"/?token={server.token}")
    assert (first.status, first.headers["Location"]) == (303, "/")
    assert first.headers["Referrer-Policy"] == "no-referrer"
    (cookie,) = SimpleCookie(first.headers["Set-Cookie"]).values()
    assert cookie.key == f"fastadv-{server.port}"
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    pair = f"{cookie.key}={cookie.value}"
    for path in ("/", STATIC):
        assert server.get(path, Cookie=pair).status == 200
        assert server.get(path, Cookie=pair, Host=f"localhost:{server.port}").status == 200
    assert server.get("/no/such/page", Cookie=pair).status == 404
    assert server.get(f"{STATIC}?token={server.token}").status == 200
    assert server.websocket(f"?token={server.token}") == 101
    assert server.websocket(Cookie=pair) == 101


def test_only_this_machine_can_connect_to_the_server(serve: Callable[..., Served]) -> None:
    server = serve()
    (listening,) = [c for c in psutil.Process(server.process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening.laddr == ("127.0.0.1", server.port)


def test_a_browser_draws_the_dashboard_and_shows_new_data(
    serve: Callable[..., Served], browser: Browser, home: Path, tmp_path: Path
) -> None:
    server = serve()
    browser.call("Page.navigate", url=server.url)
    assert "Runs" in browser.wait_for("Press n to start one")
    assert browser.evaluate("location.href") == f"http://127.0.0.1:{server.port}/"
    empty = browser.picture(tmp_path / "empty.png")
    rundir = make_run(home / "runs" / "k3f9x2", chosen=config("seen"))
    write_events(rundir, started(), *(step(number) for number in range(1, 40)), evaluated(10), evaluated(20))
    browser.wait_for("seen")
    browser.wait_for("40.0%")
    assert browser.picture(tmp_path / "run.png") != empty
    assert browser.evaluate("document.fonts.check('16px \"Roboto Mono\"')")
    hosts = {urlsplit(url).netloc for url in browser.requested if not url.startswith("data:")}
    assert hosts == {f"127.0.0.1:{server.port}"}  # so the page works without a network


def test_a_browser_cannot_change_runs_unless_the_server_is_writable(
    serve: Callable[..., Served], browser: Browser
) -> None:
    browser.call("Page.navigate", url=serve().url)
    browser.wait_for("Press n to start one")
    browser.press("n")
    browser.press("h")  # if the form were open, this key would be text in it
    assert FORM not in browser.wait_for("tag:paper since:7d text")
    browser.call("Page.navigate", url=serve("--writable").url)
    browser.wait_for("Press n to start one")
    browser.press("n")
    browser.wait_for(FORM)


def test_ctrl_c_ends_the_server_and_its_dashboards(serve: Callable[..., Served]) -> None:
    server = serve()
    out, messages, left = asyncio.run(_end_under_a_page(server))
    assert server.process.returncode == 0
    assert out == ""
    assert messages.count("\n") == 2
    assert f"ssh -L {server.port}:127.0.0.1:{server.port} HOST" in messages
    assert all(gone(child.pid) for child in left)


async def _end_under_a_page(server: Served) -> tuple[str, str, list[psutil.Process]]:
    """End the server while a page shows a dashboard and another one is starting."""
    async with server.page(f"?token={server.token}") as shown:
        await shown.receive_bytes(timeout=seconds(START))
        async with server.page(f"?token={server.token}"):
            left = server.dashboards()
            begun = time.monotonic()
            ended = await asyncio.to_thread(server.end)
            assert time.monotonic() - begun < seconds(5)
    return *ended, left


def test_a_killed_server_leaves_no_dashboard(serve: Callable[..., Served]) -> None:
    server = serve()
    left = asyncio.run(_kill_under_a_page(server))
    wait_until(lambda: all(gone(child.pid) for child in left))


async def _kill_under_a_page(server: Served) -> list[psutil.Process]:
    async with server.page(f"?token={server.token}") as shown:
        await shown.receive_bytes(timeout=seconds(START))
        left = server.dashboards()
        server.process.kill()
        server.process.communicate()
    return left


def test_a_run_that_was_resumed_in_a_page_outlives_the_server(fake_engine: None, serve: Callable[..., Served]) -> None:
    rundir = create_run(config("forever"), [])
    submit_run(rundir)
    wait_for_status(rundir, "running")
    control.stop(rundir)
    wait_for_status(rundir, "stopped")
    server = serve("--writable")
    asyncio.run(_resume_and_end(server, rundir))
    before = load(rundir).step
    wait_until(lambda: load(rundir).step > before)
    assert verdict(rundir).status == "running"


async def _resume_and_end(server: Served, rundir: RunDir) -> None:
    """Press R in a page, and end the server when the run trains."""
    async with server.page(f"?token={server.token}") as page:
        while b"forever" not in await page.receive_bytes(timeout=seconds(START)):
            pass
        await page.send_json(["stdin", "R"])
        await asyncio.to_thread(wait_for_status, rundir, "running")
        await asyncio.to_thread(server.end)


def test_a_closed_page_ends_its_dashboard(serve: Callable[..., Served]) -> None:
    server = serve()
    assert server.websocket(f"?token={server.token}") == 101
    wait_until(lambda: not server.dashboards())


def refused(*words: str) -> str:
    """The one line in which `fastadv serve` refuses to start."""
    done = subprocess.run([*FASTADV, "serve", *words], capture_output=True, text=True, timeout=seconds(60))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def test_a_taken_port_is_refused_in_one_line(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert (
            refused("--port", port) == f"fastadv: port {port} is taken; choose another with --port, 0 for any free one"
        )


def test_a_missing_web_extra_is_one_line(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "textual_serve.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "pip install 'fastadv[web]'" in refused()
