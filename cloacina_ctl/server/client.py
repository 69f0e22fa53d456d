"""A Cloacina server, as its interface was measured on 0.10.0 and 0.12.0.

Each request has its own connection and deadline. A query is repeated where the network or the
server fails for a moment; so is an upload, since the server identifies a package by its digest: the
same bytes are the same package. A request that starts a workflow is never repeated.
"""

from __future__ import annotations

import json
import random
import re
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, NetworkProblem, NotTrusted, UsageError
from cloacina_ctl.server.address import Address, escape_segment
from cloacina_ctl.server.bounded_socket import Patience
from cloacina_ctl.server.connection import Answer, Request, ask, route_to
from cloacina_ctl.server.responses import (
    BUSY,
    bad_answer,
    error_of,
    object_of,
    parse_error,
    redirect,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.server.multipart import Upload
    from cloacina_ctl.server.responses import ErrorResponse, ResponseFields
    from cloacina_ctl.server.token import Token

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_AGAIN = frozenset({Code.UNREACHABLE})
_MAX_RETRY_AFTER = 5  # digits


class ServerRefused(NetworkProblem):
    """The server refused the request; its code and message are in ``said``."""

    def __init__(self, problem: NetworkProblem, said: ErrorResponse) -> None:
        super().__init__(*problem.diagnostics)
        self.said = said


class ServerDenied(NotTrusted):
    """The server refused the user or the signer; its code and message are in ``said``."""

    def __init__(self, problem: NotTrusted, said: ErrorResponse) -> None:
        super().__init__(*problem.diagnostics)
        self.said = said


class ServerPackage(NamedTuple):
    """A package on the server. A field is None where an older server does not send it.

    ``build_status`` is ``pending``, ``build``, ``success`` or ``failed``. ``tasks`` is empty
    until the server has loaded it.
    """

    id: str
    name: str
    version: str
    workflow: str | None
    tasks: tuple[str, ...] | None
    build_status: str | None
    build_error: str | None


class TaskRun(NamedTuple):
    """A task of an execution, with the server's name for it."""

    name: str
    status: str
    attempts: int | None
    error: str | None


class Server:
    """One tenant of a server, with one token.

    ``routes`` is the prefix of every route: ``/v1`` from 0.5 on.
    """

    def __init__(
        self,
        address: Address,
        tenant: str,
        token: Token,
        *,
        ca_file: str | None = None,
        routes: str = "/v1",
        patience: Patience = Patience(),
    ) -> None:
        self.address = address
        self.tenant = tenant
        self._token = token
        self._base = f"{address.path}{routes}/tenants/{escape_segment(tenant)}"
        self._patience = patience
        self._route = route_to(address, ca_file)
        if not tenant:  # it would make another route
            raise UsageError.of(Code.USAGE, "--tenant names none")
        if ca_file is not None and self._route.context is None:
            raise UsageError.of(
                Code.USAGE, "--ca-file is for https://, and the server's address is http://"
            )

    def upload(self, body: Upload) -> str:
        """Upload the package and return its id on the server; that proves nothing else."""
        request = Request("POST", f"{self._base}/workflows", body.headers, body)
        fields = self._ask(request, 201)
        found, tenant = fields.text("package_id"), fields.optional("tenant_id")
        self._check_id("package_id", found)
        if tenant not in (None, self.tenant):
            raise bad_answer(f"it is for another tenant: {tenant}", self._where)
        return found

    def package(self, name: str) -> ServerPackage | None:
        """Return the package with that id, or the built one with that name, or None."""
        target = f"{self._base}/workflows/{escape_segment(name)}"
        try:
            fields = self._ask(Request("GET", target), 200)
        except ServerRefused as error:
            if _is_absent(error.said):
                return None
            raise
        return self._package(fields)

    def _package(self, fields: ResponseFields) -> ServerPackage:
        listed = "task_graph" in fields.table  # the release that began to fill `tasks` brought it
        return ServerPackage(
            id=fields.text("id"),
            name=fields.text("package_name"),
            version=fields.text("version"),
            workflow=fields.optional("workflow_name"),
            tasks=fields.texts("tasks") if listed else fields.texts("tasks") or None,
            build_status=fields.optional("build_status"),
            build_error=fields.optional("build_error"),
        )

    def execute(self, workflow: str, context: dict[str, Any]) -> str:
        """Start the workflow once and return the id of the execution."""
        body = json.dumps({"context": context}, allow_nan=False).encode("ascii")
        target = f"{self._base}/workflows/{escape_segment(workflow)}/execute"
        headers = (("Content-Type", "application/json"),)
        found = self._ask(Request("POST", target, headers, body), 202, again=False).text(
            "execution_id"
        )
        self._check_id("execution_id", found)
        return found

    def status(self, execution: str) -> str:
        """Return the status of an execution, such as ``Running`` or ``Completed``."""
        target = f"{self._base}/executions/{escape_segment(execution)}"
        return self._ask(Request("GET", target), 200).text("status")

    def task_runs(self, execution: str) -> tuple[TaskRun, ...]:
        """Return the results of the tasks; none where an older server does not send them."""
        target = f"{self._base}/executions/{escape_segment(execution)}/tasks"
        try:
            fields = self._ask(Request("GET", target), 200)
        except ServerRefused as error:
            if error.said.status == 404:
                return ()
            raise
        return tuple(
            TaskRun(
                name=one.text("task_name").rpartition("::")[2],
                status=one.text("status"),
                attempts=one.number("attempt"),
                error=one.optional("last_error") or one.optional("error_details"),
            )
            for one in fields.tables("tasks")
        )

    @property
    def _where(self) -> str:
        return self.address.url

    def _check_id(self, key: str, found: str) -> None:
        if not _ID.fullmatch(found):
            raise bad_answer(f"`{key}` is no id: {found[:80]}", self._where)

    def _ask(self, request: Request, expected: int, *, again: bool = True) -> ResponseFields:
        """Return the object of the answer; raises the error for any status but ``expected``."""
        answer = self._answer(request, again=again)
        if answer.status == expected:
            return object_of(answer, self._where, self._token)
        if answer.status // 100 == 3:
            raise redirect(answer, self._where, self._token)
        if answer.status // 100 == 2:
            raise bad_answer(f"the status is {answer.status}, expected {expected}", self._where)
        said = parse_error(answer, self._token)
        error = error_of(said, self._where)
        if isinstance(error, NotTrusted):
            raise ServerDenied(error, said)
        raise ServerRefused(error, said)

    def _answer(self, request: Request, *, again: bool) -> Answer:
        """Return the answer to ``request``, which is repeated where that may help."""
        for number in range(1, self._patience.tries if again else 1):
            answer = None
            try:
                answer = self._exchange(request)
            except NetworkProblem as error:
                if error.diagnostics[0].code not in _AGAIN:
                    raise
            if answer is not None and answer.status not in BUSY:
                return answer
            time.sleep(self._pause(number, answer))
        return self._exchange(request)

    def _pause(self, number: int, answer: Answer | None) -> float:
        """Return how long to wait: as the server asks, within bounds, else longer each time."""
        longest = self._patience.longest_pause
        asked = answer.headers.get("retry-after", "") if answer is not None else ""
        if asked.isascii() and asked.isdigit():
            return min(longest, float(asked[:_MAX_RETRY_AFTER]))
        pause = self._patience.first_pause * 2.0 ** (number - 1)
        return min(longest, pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads clients

    def _exchange(self, request: Request) -> Answer:
        own = (
            ("Authorization", f"Bearer {self._token.reveal()}"),
            ("Accept", "application/json"),
        )
        asked = request._replace(headers=(*own, *request.headers))
        return ask(self._route, asked, self._where, self._patience)


def _is_absent(said: ErrorResponse) -> bool:
    """Return whether the package is missing, not a route or a server; 0.4 has no codes."""
    if said.status != 404:
        return False
    return said.code == "workflow_not_found" or (said.is_object and not said.code)
