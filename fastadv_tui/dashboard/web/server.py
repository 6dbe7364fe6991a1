"""The web server of the dashboard: textual-serve on the loopback address, protected by a token."""

import asyncio
import contextlib
import copy
import errno
import hmac
import logging
import re
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import psutil
from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from fastadv_tui.errors import UserError

ADDRESS = "127.0.0.1"  # no other address: a visitor can do all that the dashboard can do
END_TIMEOUT = 2.0  # seconds that dashboards get to end before they are killed
CLOSE_TIMEOUT = 0.5  # seconds that browsers get to close a websocket
WEB_FONT = re.compile(r"<link[^>]*fonts\.googleapis\.com[^>]*>")
FONT = "/static/fonts/RobotoMono-VariableFont_wght.ttf"
HEAD = f"""<link rel="preload" href="{FONT}" as="font" type="font/ttf" crossorigin />
<style>@font-face {{ font-family: "Roboto Mono"; src: url("{FONT}"); font-weight: 100 700; }}</style>
<script>
  // keys work without a click first
  window.addEventListener("load", () => setTimeout(() => document.querySelector("textarea").focus()));
</script>"""
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # the browser loads nothing from other machines, so the page is the same with and without a network
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
    "; img-src 'self' data:; frame-ancestors 'none'"
    f"; connect-src 'self' ws://{ADDRESS}:* ws://localhost:*",  # not every browser counts websockets as 'self'
}


class DashboardServer(Server):
    """Starts a dashboard, in a process of its own, for every page that is opened with the token."""

    def __init__(self, command: str, port: int, token: str) -> None:
        super().__init__(command, host=ADDRESS, port=port, title="fastadv")
        suffix = "" if port == 80 else f":{port}"  # browsers leave out the default port
        self._hosts = {name + suffix for name in (ADDRESS, "localhost")}
        self._cookie = f"fastadv-{port}"  # the port, as all ports of a host share their cookies
        self._token = token
        self._open: set[asyncio.Task[Any]] = set()

    async def run(self, listener: socket.socket, announce: Callable[[], None]) -> None:
        """Serve on a listening socket until a signal ends the server, then end all dashboards.

        announce: called when the server answers requests and a signal ends it in order.
        """
        ended = _end_event()
        # no access log: its URLs would hold the token
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=CLOSE_TIMEOUT)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        announce()
        await ended.wait()
        await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(_add_headers)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check every request: for pages, static files, downloads and websockets, and for paths that do not exist."""
        if refusal := self._refusal(request):
            raise web.HTTPForbidden(text=f"fastadv: {refusal}\n")
        if request.path == "/" and "token" in request.query:
            return self._set_cookie()
        return await handler(request)

    def _refusal(self, request: web.Request) -> str:
        """Why a request is refused; an empty text if the request is allowed."""
        host = request.headers.get("Host", "")
        if host not in self._hosts:  # DNS rebinding: another name that resolves to this machine
            return f"open this server as {' or '.join(sorted(self._hosts))}"
        if "Upgrade" in request.headers and request.headers.get("Origin") != f"http://{host}":
            return "only a page of this server may open a websocket"
        given = (request.query.get("token", ""), request.cookies.get(self._cookie, ""))
        if not any(self._is_token(text) for text in given):
            return "the token is missing or wrong: open the URL that `fastadv serve` printed"
        return ""

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(errors="surrogateescape"), self._token.encode())

    def _set_cookie(self) -> web.Response:
        """Move the token from the URL, which browser histories keep, into a cookie that no script can read."""
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
        return response

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page, with the host name of the request in its URLs, and with the local font in place of Google's."""
        page = copy.copy(self)
        page.public_url = f"http://{request.host}"
        response = await super(DashboardServer, page).handle_index(request)
        assert isinstance(response, web.Response)
        response.text = WEB_FONT.sub(HEAD, response.text or "")
        return response

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            return await super().handle_websocket(request)
        finally:
            self._open.discard(task)

    async def on_startup(self, app: web.Application) -> None:
        """Do nothing: textual-serve would print its banner to standard output."""

    async def on_shutdown(self, app: web.Application) -> None:
        """End the dashboards: ask first, then kill. Runs are not child processes of the server, so they continue."""
        logging.getLogger("textual-serve").disabled = True  # or it would report dashboards that end while they start
        await _end_dashboards(psutil.Process().children())
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=CLOSE_TIMEOUT)


def serve(port: int, writable: bool) -> None:
    """Print the URL and serve dashboards until a signal ends the server. port: 0 means any free port.

    Raises: UserError, if the server cannot listen on the port.
    """
    with _listen(port) as listener:
        port, token = listener.getsockname()[1], secrets.token_urlsafe(32)
        output = sys.stdout

        def announce() -> None:
            print(f"http://{ADDRESS}:{port}/?token={token}", file=output, flush=True)
            access = (
                "everybody with this URL can start and stop runs" if writable else "read-only, change with --writable"
            )
            forward = f"ssh -L {port}:{ADDRESS}:{port} HOST"
            print(f"from another machine: run `{forward}` there, then open the same URL", file=sys.stderr)
            print(f"{access}; Ctrl-C ends the server", file=sys.stderr)

        with contextlib.redirect_stdout(sys.stderr):  # textual-serve prints the last output of each dashboard
            asyncio.run(DashboardServer(_command(writable), port, token).run(listener, announce))


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is taken; choose another with --port, 0 for any free one") from None
        raise UserError(f"cannot listen on port {port}: {error.strerror}; choose another with --port") from None


def _command(writable: bool) -> str:
    """The shell command of a dashboard. It ignores Ctrl-C in the terminal: the server gets the signal and ends all
    dashboards in order. It sets the driver, because textual-serve sets its own driver in the environment.
    """
    words = [sys.executable, "-P", "-m", "fastadv_tui", *([] if writable else ["--readonly"])]
    driver = "fastadv_tui.dashboard.web.driver:BrowserDriver"
    return f"trap '' INT; export TEXTUAL_DRIVER={driver}; exec {shlex.join(words)}"


def _end_event() -> asyncio.Event:
    """An event that Ctrl-C, SIGTERM and, except under nohup, the loss of the terminal set."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, ended.set)
    return ended


async def _end_dashboards(dashboards: list[psutil.Process]) -> None:
    for dashboard in dashboards:
        dashboard.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_TIMEOUT):
            while any(_is_alive(dashboard) for dashboard in dashboards):
                await asyncio.sleep(0.02)
    for dashboard in filter(_is_alive, dashboards):
        dashboard.kill()


def _is_alive(dashboard: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return dashboard.status() != psutil.STATUS_ZOMBIE
    return False


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
