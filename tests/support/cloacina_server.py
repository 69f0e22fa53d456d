"""A Cloacina server of the tests: it answers word for word as 0.10.0 was seen to answer.

What it does with a package is a script that a test may change: which build states it goes through,
what it lists, how runs end.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cloacina_ctl.operations.publication.deployment import Pace
from cloacina_ctl.server.bounded_socket import Patience

if TYPE_CHECKING:
    pass

import bz2
import hashlib
import io
import re
import sys
import tarfile
import uuid
from typing import TYPE_CHECKING, Any

from tests.support.sockets import Asked, Line, Listener

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

TENANT = "my_tenant"
WRITE, READ, OTHER = "clk_write_9f27c1d07e", "clk_read_51b0aa3c44", "clk_other_0c6e18d2b7"
KEYS = {WRITE: (TENANT, "write"), READ: (TENANT, "read"), OTHER: ("other_tenant", "write")}
REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 409: "Conflict", 413: "Payload Too Large",
    422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip
NO_SUCH = (404, {"error": "no route matches this request", "code": "not_found"})
MAX_BODY = 100 << 20
Reply = tuple[int, "dict[str, Any] | str"]


def response(status: int, body: dict[str, Any] | str, **headers: str) -> bytes:
    """Return an answer as the real server spells it."""
    if isinstance(body, str):
        data, kind = body.encode(), "text/plain; charset=utf-8"
    else:
        data, kind = json.dumps(body, separators=(",", ":")).encode(), "application/json"
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        f"content-type: {kind}",
        f"x-request-id: {uuid.uuid4()}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        f"content-length: {len(data)}",
        "date: Mon, 23 Nov 2026 11:46:46 GMT",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


def refusal(status: int, code: str, error: str) -> Reply:
    return status, {"error": error, "code": code}


class Row:
    """A package in the server's table."""

    def __init__(self, data: bytes, name: str, version: str, workflow: str | None) -> None:
        self.id = str(uuid.uuid4())
        self.digest = hashlib.sha256(data).hexdigest()
        self.name, self.version, self.workflow = name, version, workflow
        self.superseded = False
        self.looked_at = 0


class Cloacina:
    """The server. Use it as a context manager."""

    def __init__(self, prefix: str = "/v1", context: Any = None) -> None:
        self.listener = Listener(self._serve, context)
        self.prefix = prefix
        self.rows: list[Row] = []
        self.asked: list[Asked] = []
        self.uploads: list[bytes] = []
        self.contexts: list[Any] = []
        # What happens to a package, each time that it is looked at; the last goes on for ever.
        self.builds: list[str] = ["pending", "building", "success"]
        self.build_error: str | None = None
        self.tasks: list[str] = ["extract", "load"]
        self.asleep = True  # until a first execution, refused, wakes the tenant
        self.old = False  # an answer without `task_graph`, as before it was known
        self.not_yet = 0  # executions that come too early, besides
        self.runs: list[str] = ["Pending", "Running", "Completed"]
        self.task_errors: dict[str, str] = {}
        self.has_task_route = True
        self.instead: Callable[[Asked], Reply | bytes | None] = lambda _: None

    @property
    def url(self) -> str:
        return self.listener.url

    def __enter__(self) -> Self:
        self.listener.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.listener.__exit__(*error)

    def _serve(self, line: Line) -> None:
        asked = line.asked()
        self.asked.append(asked)
        reply = self.instead(asked)
        if isinstance(reply, bytes):
            line.send(reply)
            return
        if reply is None:
            reply = self._check(asked)
        if reply is None:
            if asked.headers.get("expect") == "100-continue":
                line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            if int(asked.headers.get("content-length", "0")) > MAX_BODY:
                reply = refusal(
                    400, "invalid_request",
                    "failed to read file: Error parsing `multipart/form-data` request",
                )  # fmt: skip
            else:
                reply = self._route(asked, line.body(asked))
        line.send(response(*reply))

    def _check(self, asked: Asked) -> Reply | None:
        scheme, _, key = asked.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return refusal(401, "unauthorized", "missing or malformed Authorization header")
        if key not in KEYS:
            return refusal(401, "unauthorized", "invalid API key")
        if not asked.target.startswith(f"{self.prefix}/tenants/"):
            return NO_SUCH
        tenant, role = KEYS[key]
        if asked.target.split("/tenants/")[1].split("/")[0] != tenant:
            return refusal(403, "tenant_access_denied", "access denied for this tenant")
        if asked.method == "POST" and role == "read":
            return refusal(403, "insufficient_permissions", "insufficient permissions")
        return None

    def _route(self, asked: Asked, body: bytes) -> Reply:
        path = asked.target.removeprefix(f"{self.prefix}/tenants/{TENANT}")
        for method, pattern, function in (
            ("POST", r"/workflows", self._upload),
            ("GET", r"/workflows/([^/]+)", self._package),
            ("POST", r"/workflows/([^/]+)/execute", self._execute),
            ("GET", r"/executions/([^/]+)", self._execution),
            ("GET", r"/executions/([^/]+)/tasks", self._task_runs),
        ):
            found = re.fullmatch(pattern, path)
            if found and method == asked.method:
                return function(asked, body, *found.groups())
        return NO_SUCH

    def _upload(self, asked: Asked, body: bytes) -> Reply:
        kind = asked.headers.get("content-type", "")
        boundary = re.fullmatch(r"multipart/form-data; boundary=(\S+)", kind)
        if boundary is None:
            return 400, "Invalid `boundary` for `multipart/form-data` request"
        data = _field(body, boundary[1].encode())
        if data is None:
            return refusal(400, "invalid_request", "no 'file' field in multipart request")
        self.uploads.append(data)
        if not data:
            return refusal(400, "invalid_request", "empty package file")
        if not data.startswith(b"BZ"):
            return refusal(
                400, "upload_failed",
                "Package validation failed: Package data is not a valid .cloacina bzip2 source "
                "archive. Raw library registration is not supported.",
            )  # fmt: skip
        return self._register(data)

    def _register(self, data: bytes) -> Reply:
        row = Row(data, *_named(data))
        active = next((r for r in self.rows if r.name == row.name and not r.superseded), None)
        if active is not None and active.digest == row.digest:
            return 201, {"package_id": active.id, "tenant_id": TENANT}
        if any((r.name, r.version) == (row.name, row.version) for r in self.rows):
            return refusal(
                400, "upload_failed", f"Package already exists: {row.name} v{row.version}"
            )
        if active is not None:
            active.superseded = True
        self.rows.append(row)
        return 201, {"package_id": row.id, "tenant_id": TENANT}

    def _package(self, asked: Asked, _body: bytes, name: str) -> Reply:
        row = next((r for r in self.rows if r.id == name), None)
        if row is None:
            active = [r for r in self.rows if r.name == name and not r.superseded]
            row = next((r for r in active if self._build(r) == "success"), None)
        if row is None:
            return refusal(404, "workflow_not_found", f"workflow '{name}' not found")
        if row.id == name:
            row.looked_at += 1
        status = self._build(row)
        tasks = self.tasks if status == "success" and not self.asleep else []
        return 200, {
            "tenant_id": TENANT,
            "id": row.id,
            "package_name": row.name,
            "workflow_name": row.workflow,
            "version": row.version,
            "description": None,
            "tasks": [] if self.old else tasks,
            **({} if self.old else {"task_graph": [{"id": t, "dependencies": []} for t in tasks]}),
            "created_at": "2026-11-23T11:46:47.727062+00:00",
            "build_status": status,
            "build_error": self.build_error if status == "failed" else None,
            "paused": False,
            "declared_params": [],
        }

    def _build(self, row: Row) -> str:
        return self.builds[max(0, min(row.looked_at, len(self.builds)) - 1)]

    def _execute(self, asked: Asked, body: bytes, name: str) -> Reply:
        if asked.headers.get("content-type") != "application/json":
            return 400, "Expected request with `Content-Type: application/json`"
        asleep, self.asleep = self.asleep, False
        self.not_yet -= not asleep
        if asleep or self.not_yet >= 0 or name not in {row.workflow for row in self.rows}:
            return refusal(
                400, "execution_failed",
                "Workflow execution failed: Failed to schedule workflow: Workflow not found in "
                f"registry: {name}",
            )  # fmt: skip
        self.contexts.append(json.loads(body)["context"])
        return 202, {
            "execution_id": str(uuid.uuid4()), "workflow_name": name, "tenant_id": TENANT,
            "status": "scheduled",
        }  # fmt: skip

    def _execution(self, _asked: Asked, _body: bytes, execution: str) -> Reply:
        status = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
        return 200, {"tenant_id": TENANT, "execution_id": execution, "status": status}

    def _task_runs(self, _asked: Asked, _body: bytes, execution: str) -> Reply:
        if not self.has_task_route:
            return NO_SUCH
        row = self.rows[-1]
        tasks = [
            {
                "id": str(uuid.uuid4()),
                "task_name": f"{TENANT}::{row.name}::{row.workflow}::{task}",
                "status": "Failed" if task in self.task_errors else "Completed",
                "started_at": None, "completed_at": None, "attempt": 1, "max_attempts": 4,
                "sub_status": None, "last_error": self.task_errors.get(task),
                "error_details": None,
            }
            for task in self.tasks
        ]  # fmt: skip
        return 200, {"tenant_id": TENANT, "execution_id": execution, "tasks": tasks}


def _field(body: bytes, boundary: bytes) -> bytes | None:
    """Return the field `file` of a form that has no other."""
    start, _, rest = body.partition(b"\r\n\r\n")
    first, disposition, kind = start.split(b"\r\n")
    assert first == b"--" + boundary
    assert kind == b"Content-Type: application/octet-stream"
    end = b"\r\n--" + boundary + b"--\r\n"
    assert rest.endswith(end)
    name = re.fullmatch(rb'Content-Disposition: form-data; name="(\w+)"; filename="([\w.]+)"',
                        disposition)  # fmt: skip
    return rest[: -len(end)] if name and name[1] == b"file" else None


def _named(data: bytes) -> tuple[str, str, str | None]:
    with tarfile.open(fileobj=io.BytesIO(bz2.decompress(data))) as archive:
        member = next(one for one in archive if one.name.endswith("/package.toml"))
        file = archive.extractfile(member)
        assert file is not None
        table = tomllib.loads(file.read().decode())
    package = table["package"]
    return package["name"], package["version"], table["metadata"].get("workflow_name")


QUICK = Pace(
    first=0.005,
    longest=0.01,
    awake=0.02,
    load=0.3,
    start=0.2,
    away=0.1,
    patience=Patience(
        connect=0.5, answer=2.0, leave=0.2, stall=1.0, first_pause=0.01, longest_pause=0.05, tries=3
    ),
)
