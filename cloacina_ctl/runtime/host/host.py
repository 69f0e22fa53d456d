"""The interface of a host in the child process, and the error of a package that cannot load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = dict[str, Any]


class LoadFailure(Exception):
    """A package that cannot be loaded: ``code`` of ``errors``, message, and perhaps a hint."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class LoadedHost(Protocol):
    """A loaded package, in the child."""

    def describe(self) -> Answer:
        """Return the metadata that the code declares, as JSON."""

    def calls(self) -> dict[str, Callable[[dict[str, Any]], Answer]]:
        """Return the supported requests, by name."""

    def leave(self) -> None:
        """Clean up as a package expects at its end."""
