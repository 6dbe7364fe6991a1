"""A server on this machine that gets notifications, and can hang, answer with an error, or be gone."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "s3cr3t-t0ken"  # in the path of every URL; no log may hold it


class Webhook:
    """The server. code: what it answers. `hang` makes it answer only after `release`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hooks/{SECRET}"
        self.code = 200
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self._may_answer = threading.Event()
        self._may_answer.set()

    def hang(self) -> None:
        self._may_answer.clear()

    def release(self) -> None:
        self._may_answer.set()

    def take(self, path: str, body: bytes) -> int:
        """Note a request. Returns: the code of the answer."""
        self.paths.append(path)
        self.got.append(json.loads(body))
        self._may_answer.wait()
        return self.code


@contextmanager
def webhook() -> Iterator[Webhook]:
    """The server, which ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            code = target.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            try:
                self.send_response(code)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
            except OSError:
                pass  # the client has given up

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        target = Webhook(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield target
        finally:
            target.release()
            server.shutdown()
            thread.join()
