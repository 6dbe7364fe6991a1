"""A server on this machine that takes and gives files as the Hugging Face Hub does."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_s3cret"
COMMIT = "c" * 40
LARGE = ".safetensors"  # files that travel beside the commit


class FakeHub:
    """repos: the files of each repository, by name. private: of those that were created. asked: every request."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.repos: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.asked: list[str] = []
        self.fail: int = 0  # the code of every answer
        self._objects: dict[str, bytes] = {}

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.fail:
            return self.fail, {"error": "no"}
        if method != "GET" and not path.startswith("/upload/") and token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        path, _, _ = path.partition("?")
        for pattern, act in (
            (r"/api/repos/create", self._create),
            (r"/api/validate-yaml", lambda body: {"errors": [], "warnings": []}),
            (r"/api/models/(\w+/\w+)/preupload/main", self._preupload),
            (r"/(\w+/\w+)\.git/info/lfs/objects/batch", self._batch),
            (r"/upload/(\w+)", self._upload),
            (r"/api/models/(\w+/\w+)/commit/main", self._commit),
            (r"/api/models/(\w+/\w+)", self._about),
            (r"/(\w+/\w+)/resolve/\w+/(.+)", self._file),
        ):
            found = re.fullmatch(pattern, path)
            if found and (method != "GET" or found[1] in self.repos):
                return 200, act(*found.groups(), body)  # type: ignore[operator]
        return 404, {"error": path}

    def _create(self, body: bytes) -> Any:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        self.repos.setdefault(name, {})
        self.private[name] = asked.get("private") or asked.get("visibility") == "private"
        return {"url": f"{self.url}/{name}", "name": name}

    def _preupload(self, name: str, body: bytes) -> Any:
        files = [file["path"] for file in json.loads(body)["files"]]
        mode = {path: "lfs" if path.endswith(LARGE) else "regular" for path in files}
        return {"files": [{"path": path, "uploadMode": mode[path], "shouldIgnore": False} for path in files]}

    def _batch(self, name: str, body: bytes) -> Any:
        objects = json.loads(body)["objects"]
        for found in objects:
            found["actions"] = {"upload": {"href": f"{self.url}/upload/{found['oid']}", "header": {}}}
        return {"transfer": "basic", "objects": objects}

    def _upload(self, oid: str, body: bytes) -> Any:
        assert hashlib.sha256(body).hexdigest() == oid
        self._objects[oid] = body
        return {}

    def _commit(self, name: str, body: bytes) -> Any:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.repos[name][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.repos[name][value["path"]] = self._objects[value["oid"]]
        return {"success": True, "commitOid": COMMIT, "commitUrl": f"{self.url}/{name}/commit/{COMMIT}"}

    def _about(self, name: str, body: bytes) -> Any:
        files = self.repos[name]
        return {
            "sha": COMMIT,
            "siblings": [
                {
                    "rfilename": path,
                    "size": len(content),
                    "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
                }
                for path, content in files.items()
            ],
        }

    def _file(self, name: str, path: str, body: bytes) -> bytes:
        return self.repos[name][path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Any"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization", "")
        code, content = self.server.hub.answer(self.command, self.path, body, token)
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/octet-stream" if sent is content else "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """The server, which ends with the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.hub = FakeHub(server.server_address[1])  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.hub  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()
