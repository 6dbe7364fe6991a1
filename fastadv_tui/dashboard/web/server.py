"""The dashboard in a browser: textual-serve on this machine's own address, behind a token."""

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
from typing import Any

import psutil
from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from fastadv_tui.errors import UserError

ADDRESS = "127.0.0.1"  # never another: what the dashboard may do, a visitor may do
GRACE = 2.0  # seconds that dashboards get to end by themselves
GOODBYE = 0.5  # seconds that browsers get to close a websocket
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
    # what the page asks of other machines is refused, so that it is the same with and without a network
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
    "; img-src 'self' data:; frame-ancestors 'none'"
    f"; connect-src 'self' ws://{ADDRESS}:* ws://localhost:*",  # not every browser counts websockets as 'self'
}


class Dashboards(Server):
    """A dashboard, a process of its own, for every page that comes with the token."""

    def __init__(self, command: str, port: int, token: str) -> None:
        super().__init__(command, host=ADDRESS, port=port, title="fastadv")
        suffix = "" if port == 80 else f":{port}"  # browsers leave out the default
        self._hosts = {name + suffix for name in (ADDRESS, "localhost")}
        self._cookie = f"fastadv-{port}"  # cookies are shared by all ports of a host
        self._token = token
        self._open: set[asyncio.Task[Any]] = set()

    async def run(self, listener: socket.socket) -> None:
        """Answer on a listening socket until a signal says to end; then no dashboard is left."""
        ended = _told_to_end()
        # aiohttp's log of requests would hold the token
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=GOODBYE)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        await ended.wait()
        await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(_add_headers)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every request comes through here: pages, static files, downloads and websockets, found or not."""
        if refusal := self._refusal(request):
            raise web.HTTPForbidden(text=f"fastadv: {refusal}\n")
        if request.path == "/" and "token" in request.query:
            return self._remember()
        return await handler(request)

    def _refusal(self, request: web.Request) -> str:
        """Why a request gets no answer, or nothing."""
        host = request.headers.get("Host", "")
        if host not in self._hosts:  # a name that somebody has pointed here (DNS rebinding)
            return f"this server is known as {' or '.join(sorted(self._hosts))} only"
        if "Upgrade" in request.headers and request.headers.get("Origin") != f"http://{host}":
            return "websockets are for this server's own pages only"
        given = (request.query.get("token", ""), request.cookies.get(self._cookie, ""))
        if not any(self._is_token(text) for text in given):
            return "no token, or a wrong one: open the URL that `fastadv serve` printed"
        return ""

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(errors="surrogateescape"), self._token.encode())

    def _remember(self) -> web.Response:
        """Move the token from the address, which histories keep, into a cookie that no script reads."""
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
        return response

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page: its addresses those of the name it was asked by, its font the one beside it, not Google's."""
        page = copy.copy(self)
        page.public_url = f"http://{request.host}"
        response = await super(Dashboards, page).handle_index(request)
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
        """Nothing: textual-serve's banner has no place on standard output."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Ask the dashboards to end, then make them. Runs are no children of ours and go on."""
        logging.getLogger("textual-serve").disabled = True  # a dashboard that ends while it starts is no news now
        await _end(psutil.Process().children())
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=GOODBYE)


def serve(port: int, writable: bool) -> None:
    """Print the address and serve dashboards there until a signal ends it; port 0 is any free one.

    Raises: UserError, if the port cannot be had.
    """
    with _listen(port) as listener:
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        print(f"http://{ADDRESS}:{port}/?token={token}", flush=True)
        print(
            f"from another machine: `ssh -L {port}:{ADDRESS}:{port} HOST`, then the same URL there\n"
            + ("everybody with this URL can start and stop runs" if writable else "read-only; --writable for more")
            + "; Ctrl-C ends it",
            file=sys.stderr,
        )
        with contextlib.redirect_stdout(sys.stderr):  # textual-serve prints what dashboards say as they end
            asyncio.run(Dashboards(_command(writable), port, token).run(listener))


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is taken; choose another with --port, 0 for any free one") from None
        raise UserError(f"cannot listen on port {port}: {error.strerror}; choose another with --port") from None


def _command(writable: bool) -> str:
    """The dashboard for a shell. Ctrl-C in the terminal is for the server alone, which ends its dashboards in order;
    the driver is set here, because textual-serve names its own in the environment.
    """
    words = [sys.executable, "-P", "-m", "fastadv_tui", *([] if writable else ["--readonly"])]
    return f"trap '' INT; export TEXTUAL_DRIVER=fastadv_tui.dashboard.web.driver:Page; exec {shlex.join(words)}"


def _told_to_end() -> asyncio.Event:
    """Set by Ctrl-C, by SIGTERM and, except under nohup, by the loss of the terminal."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, ended.set)
    return ended


async def _end(dashboards: list[psutil.Process]) -> None:
    for dashboard in dashboards:
        dashboard.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            while any(_lives(dashboard) for dashboard in dashboards):
                await asyncio.sleep(0.02)
    for dashboard in filter(_lives, dashboards):
        dashboard.kill()


def _lives(dashboard: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return dashboard.status() != psutil.STATUS_ZOMBIE
    return False


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
