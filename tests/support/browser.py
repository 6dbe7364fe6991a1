"""A real browser for the tests of the dashboard in a browser."""

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.waiting import seconds, wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1400,900")
START = 60.0  # seconds of a quiet machine, in which a browser or a dashboard starts

# textual-serve does not publish its xterm object; this script catches the object when it is assigned
CATCH_TERMINAL = """
Object.defineProperty(Object.prototype, "terminal", {configurable: true, set(value) {
  Object.defineProperty(this, "terminal", {value, writable: true, configurable: true});
  if (value?.buffer?.active) window.caught = value;
}});
"""
SCREEN = """(() => {
  const rows = window.caught?.buffer.active;
  return rows ? Array.from({length: rows.length}, (_, i) => rows.getLine(i).translateToString(true)).join("\\n") : "";
})()"""


class Browser:
    """A headless Chromium, driven through its DevTools protocol."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(1)
        self.requested: list[str] = []
        try:
            port = wait_until(lambda: _first_line(folder / "DevToolsActivePort"), START)
            self._runner.run(self._attach(f"http://127.0.0.1:{port}/json/list"))
        except BaseException:
            self._kill()
            raise
        self.call("Network.enable")
        self.call("Page.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.call("Page.addScriptToEvaluateOnNewDocument", source=CATCH_TERMINAL)

    async def _attach(self, url: str) -> None:
        self._session = aiohttp.ClientSession()
        while True:
            async with self._session.get(url) as response:
                pages = [target for target in await response.json() if target["type"] == "page"]
            if pages:
                break
        self._socket = await self._session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._runner.run(self._call(method, parameters))

    async def _call(self, method: str, parameters: dict[str, object]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=seconds(START))
            if message.get("method") in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                self.requested.append(message["params"].get("url") or message["params"]["request"]["url"])
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression)["result"].get("value")

    def screen(self) -> str:
        """The text on the screen of xterm."""
        return str(self.evaluate(SCREEN))

    def wait_for(self, text: str) -> str:
        wait_until(lambda: text in self.screen(), START)
        return self.screen()

    def press(self, key: str) -> None:
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def picture(self, path: Path) -> bytes:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
        return path.read_bytes()

    def close(self) -> None:
        try:
            self.call("Browser.close")
            self._runner.run(self._session.close())
            self._process.wait(timeout=seconds(20))
        finally:
            self._kill()

    def _kill(self) -> None:
        self._runner.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _first_line(path: Path) -> str:
    return path.read_text().partition("\n")[0] if path.exists() else ""
