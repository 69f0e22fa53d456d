"""Reading a server's answer: the object in it, or the error for it, in words.

Every text of a server may repeat the token that it was sent; this module removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from cloacina_ctl.errors import Code, NetworkProblem, NotTrusted, Refused
from cloacina_ctl.strict_json import parse_json
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.server.connection import Answer
    from cloacina_ctl.server.token import Token

MAX_WORDS = 1000
BUSY = (429, 502, 503, 504)
_LOGIN = "<!doctype html", "<html"


class ErrorResponse(NamedTuple):
    """An answer that is no success: the server's own code and message, where it has any.

    ``is_object`` where they were in an object, as in those of a Cloacina server.
    """

    status: int
    code: str
    words: str
    is_object: bool = False

    @property
    def text(self) -> str:
        """The status and the message."""
        return f"{self.status} {self.words}" if self.words else str(self.status)


def object_of(answer: Answer, where: str, token: Token) -> ResponseFields:
    """Return the object of an answer that must have one; raises ``NetworkProblem``."""
    try:
        return ResponseFields(parse_json(answer.body, "the answer"), where, token)
    except Refused as error:
        message = _guess(answer) or _why(error)
    raise bad_answer(message, where)  # without the cause, which may quote the token


def parse_error(answer: Answer, token: Token) -> ErrorResponse:
    """Return the error in an answer that is no success: an object, plain text, or nothing."""
    code, words, is_object = "", "", False
    try:
        table = parse_json(answer.body, "the answer")
    except Refused:
        words = _guess(answer) or answer.body.decode("utf-8", "backslashreplace")
    else:
        is_object = True
        found = [table.get(key) for key in ("code", "error")]
        code, words = (value if isinstance(value, str) else "" for value in found)
    # Masked before it is cut: half a token would not be recognized.
    words = token.masked(words.strip() or answer.reason)[:MAX_WORDS]
    return ErrorResponse(answer.status, token.masked(code)[:80], words, is_object)


def error_of(said: ErrorResponse, where: str) -> NetworkProblem | NotTrusted:
    """Return the error for the server's answer to any request."""
    status = said.status
    if status == 401:
        return NotTrusted.of(
            Code.DENIED, f"the server does not know the token: {said.text}", where=where,
            hint="is it the token of this server, whole, and not revoked?",
        )  # fmt: skip
    if status == 403:
        return NotTrusted.of(
            Code.DENIED, f"the server does not let you: {said.text}", where=where,
            hint=_DENIED_HINTS.get(said.code),
        )  # fmt: skip
    if status == 407:
        return NetworkProblem.of(
            Code.UNREACHABLE, f"the proxy wants a name and password: {said.text}", where=where
        )
    if status == 404:
        return NetworkProblem.of(
            Code.NOT_THERE, f"the server has no such thing: {said.text}", where=where,
            hint="are the address and the tenant right?",
        )  # fmt: skip
    if status in BUSY or status >= 500:
        return NetworkProblem.of(
            Code.SERVER_FAILED, f"the server failed: {said.text}", where=where,
            hint="its log says more; nothing is lost by trying again later",
        )  # fmt: skip
    return NetworkProblem.of(
        Code.SERVER_REFUSED, f"the server refuses it: {said.text}", where=where,
        hint="is this a Cloacina server?" if not said.code else None,
    )  # fmt: skip


def redirect(answer: Answer, where: str, token: Token) -> NetworkProblem:
    """Return the error for a redirect, which is never followed."""
    target = token.masked(answer.headers.get("location", "nowhere"))[:MAX_WORDS]
    return NetworkProblem.of(
        Code.REDIRECT,
        f"the server sends to another address, which is not followed: {answer.status} {target}",
        where=where,
        hint="the token goes to no server but the one that you name: if that one is right, name it",
    )


def bad_answer(message: str, where: str) -> NetworkProblem:
    """Return the error for an answer that is not from a Cloacina server."""
    return NetworkProblem.of(
        Code.BAD_ANSWER, f"the answer is not from a Cloacina server: {message}", where=where
    )


class ResponseFields(NamedTuple):
    """The fields of an object in an answer: one that is missing or of another type is an error."""

    table: dict[str, Any]
    where: str
    token: Token

    def text(self, key: str) -> str:
        """Return a text that must be there."""
        value = self.optional(key)
        if value is None:
            self._bad(key, "a text")
        return value

    def optional(self, key: str) -> str | None:
        """Return a text, or None where there is none."""
        value = self.table.get(key)
        if not isinstance(value, str | None):
            self._bad(key, "a text")
        return None if value is None else self.token.masked(value)

    def number(self, key: str) -> int | None:
        """Return a whole number, or None where there is none."""
        value = self.table.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            self._bad(key, "a number")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, which is empty where there is none."""
        values = self.table.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self._bad(key, "a list of texts")
        return tuple(map(self.token.masked, values))

    def tables(self, key: str) -> tuple[ResponseFields, ...]:
        """Return a list of objects that must be there."""
        values = self.table.get(key)
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            self._bad(key, "a list of objects")
        return tuple(self._replace(table=value) for value in values)

    def _bad(self, key: str, expected: str) -> NoReturn:
        raise bad_answer(f"`{key}` is not {expected}", self.where)


_DENIED_HINTS = {
    "insufficient_permissions": "publishing takes a key with the role write",
    "tenant_access_denied": "the key belongs to another tenant: --tenant",
    "signature_not_found": "the server looks for a signature in its own database, which no upload "
    "puts there: its operator enters there what the .sig file beside the package says",
    "untrusted_signer": "the server has a signature by a key that it does not trust: its operator "
    "enters the key among the trusted ones of its organization",
    "invalid_signature": "what the server's database holds is no signature by that key over the "
    "hash of these bytes: its operator enters it again, from the .sig file",
    "package_tampered": "what the server's database holds is of other bytes: its operator enters "
    "it again, from the .sig file of these",
    "signature_verification_unconfigured": "it requires signatures and names no organization: "
    "its operator names one with --verification-org-id",
    "signature_verification_error": "its log says more",
}


def _guess(answer: Answer) -> str | None:
    start = answer.body[:200].lstrip().lower()
    if start.startswith(tuple(word.encode() for word in _LOGIN)):
        return "a web page"
    if not answer.body:
        return "an empty answer"
    return None


def _why(error: Refused) -> str:
    """Return why an answer is not JSON, without the parser's quotes of it."""
    words = error.diagnostics[0].message
    return "a key stands twice" if "stands twice" in words else words
