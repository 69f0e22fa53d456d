"""What serves a loaded package in the child process, and why there may be nothing to serve."""

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
        """Return what the code says of itself, as JSON."""

    def calls(self) -> dict[str, Callable[[dict[str, Any]], Answer]]:
        """Return what can be asked of it, by name."""

    def leave(self) -> None:
        """Do what a package expects at its end."""
