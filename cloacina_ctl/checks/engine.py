"""Runs rules: each yields findings, to which a rule set adds code and severity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from cloacina_ctl.errors import Code, Diagnostic, Severity
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Subject = TypeVar("Subject")


class Finding(NamedTuple):
    """The result of a rule: a diagnostic without its code.

    ``severity`` overrides that of the rule where one place is worse or better than usual.
    """

    message: str
    where: str | None = None
    hint: str | None = None
    severity: Severity | None = None


class RuleSet(Generic[Subject]):
    """The rules for one kind of subject; a module adds its own with ``@rules.rule(code)``."""

    def __init__(self) -> None:
        self._rules: list[tuple[Code, Severity, Callable[[Subject], Iterator[Finding]]]] = []

    def rule(
        self, code: Code, severity: Severity = Severity.ERROR
    ) -> Callable[[Callable[[Subject], Iterator[Finding]]], Callable[[Subject], Iterator[Finding]]]:
        """Register the decorated function as the rule for ``code``."""

        def register(
            function: Callable[[Subject], Iterator[Finding]],
        ) -> Callable[[Subject], Iterator[Finding]]:
            self._rules.append((code, severity, function))
            return function

        return register

    def run(self, subject: Subject) -> Iterator[Diagnostic]:
        """Yield the findings of all rules for ``subject``, in the order of their registration."""
        for code, usual, function in self._rules:
            for found in function(subject):
                severity = found.severity or usual
                yield Diagnostic(code, found.message, found.where, found.hint, severity)


class FindingFilter(NamedTuple):
    """Which findings are wanted: code prefixes, ``ignore`` after ``select``."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def takes(self, diagnostic: Diagnostic) -> bool:
        """Return whether ``diagnostic`` is wanted."""
        code = str(diagnostic.code)
        selected = not self.select or code.startswith(self.select)
        return selected and not code.startswith(self.ignore or ("\0",))


class Report(NamedTuple):
    """The result of ``validate``: findings in a fixed order, and whether any is an error."""

    findings: tuple[Diagnostic, ...]
    skipped: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def _file_and_line(where: str) -> tuple[str, int]:
    file, _, line = where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (where, 0)


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def report(
    found: Iterable[Diagnostic],
    choice: FindingFilter = FindingFilter(),
    skipped: Sequence[str] = (),
) -> Report:
    """Return the wanted findings, worst first, then by code and place, without repetition."""
    wanted = {diagnostic for diagnostic in found if choice.takes(diagnostic)}
    ordered = sorted(
        wanted,
        key=lambda one: (
            _ORDER[one.severity], str(one.code), _file_and_line(one.where or ""), one.message
        ),
    )  # fmt: skip
    return Report(tuple(ordered), tuple(skipped))
