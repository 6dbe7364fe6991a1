"""A server of files on this machine that is slow, breaks off in the middle, or lies."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer:
    """The server. files: content by path, with the query. answers: other answers by path: a code and headers.

    break_after: bytes after which each answer breaks off, once for each number. claims: what Content-Length says.
    ranges: whether parts can be asked for; shift: where a part begins beside where it was asked for. hang: answer
    nothing until the test ends. kind: the Content-Type.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}
        self.break_after: list[int] = []
        self.claims: int | None = None
        self.ranges, self.shift, self.hang = True, 0, False
        self.etag, self.kind = '"one"', "application/octet-stream"
        self.got: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()

    def ranges_asked(self) -> list[str]:
        return [headers.get("Range", "") for _, headers in self.got]

    def part(self, content: bytes, headers: Any) -> tuple[int, int]:
        """The code of the answer, and where its content begins."""
        found = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        same = headers.get("If-Range", self.etag) == self.etag
        if not found or not self.ranges or not same:
            return 200, 0
        return (206, int(found[1]) + self.shift) if int(found[1]) < len(content) else (416, len(content))


class _Handler(BaseHTTPRequestHandler):
    server: "Any"

    def do_GET(self) -> None:
        served: FileServer = self.server.served
        served.got.append((self.path, dict(self.headers)))
        if served.hang:
            served.over.wait()
            return
        if self.path in served.answers:
            code, headers = served.answers[self.path]
            self._head(code, {"Content-Length": "0", **headers})
        elif self.path not in served.files:
            self._head(404, {"Content-Length": "0"})
        else:
            self._send(served, served.files[self.path])

    def _send(self, served: FileServer, content: bytes) -> None:
        code, start = served.part(content, self.headers)
        body = content[start:]
        length = len(body) if served.claims is None else served.claims
        headers = {"Content-Length": str(length), "ETag": served.etag, "Content-Type": served.kind}
        if code == 206:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(code, headers)
        stop = served.break_after.pop(0) if served.break_after else len(body)
        with suppress(OSError):  # the client may have seen enough
            self.wfile.write(body[:stop])
        self.close_connection = True

    def _head(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def file_server() -> Iterator[FileServer]:
    """The server, which ends with the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.served = FileServer(server.server_address[1])  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.served  # type: ignore[attr-defined]
        finally:
            server.served.over.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join()
