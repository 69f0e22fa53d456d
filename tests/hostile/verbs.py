"""Where the corpus meets the product: verbs by name, and how an error becomes one line.

Each verb is called with the package, the destination (`unpack` alone uses it) and the file of
the one public key that counts. It returns for “yes” and raises for “no”.
"""

from __future__ import annotations

from collections.abc import Callable

Verb = Callable[[str, str, str], None]

# How the command line shows an error, once there is one: error -> what stands on stderr.
render: Callable[[BaseException], str] | None = None

EXITS = {
    "UsageError": 2,
    "Refused": 3,
    "NotTrusted": 4,
    "BuildFailed": 5,
    "Incompatible": 6,
    "FileProblem": 8,
}


def exit_of(error: BaseException) -> int | None:
    """Return the exit status of an error's family; None for what is no error of ours."""
    for kind in type(error).__mro__:
        if kind.__name__ in EXITS and kind.__module__ == "cloacina_ctl.errors":
            return EXITS[kind.__name__]
    return None


def inspect(path: str, destination: str, key: str) -> None:
    """Look at a package."""
    from cloacina_ctl.operations import inspect as operation

    operation.inspect(path)


def verify(path: str, destination: str, key: str) -> None:
    """Prove a package; unsigned ones are allowed, so that the attack itself is reached."""
    from cloacina_ctl.operations import verify as operation
    from cloacina_ctl.verification.policy import VerificationPolicy

    operation.verify(path, VerificationPolicy(keys=(key,), allow_unsigned=True))


def unpack(path: str, destination: str, key: str) -> None:
    """Unpack a package by the same rule."""
    from cloacina_ctl.operations import unpack as operation
    from cloacina_ctl.verification.policy import VerificationPolicy

    rule = VerificationPolicy(keys=(key,), allow_unsigned=True)
    operation.unpack(path, destination, rule)


def validate(path: str, destination: str, key: str) -> None:
    """Judge a package; findings that are errors count as a refusal."""
    from cloacina_ctl.errors import Refused, Severity
    from cloacina_ctl.operations import validate as operation

    report = operation.validate(path).report
    errors = [found for found in report.findings if found.severity is Severity.ERROR]
    if errors:
        raise Refused(*errors)


VERBS: dict[str, Verb] = {
    "inspect": inspect,
    "verify": verify,
    "unpack": unpack,
    "validate": validate,
}


def available() -> dict[str, Verb]:
    """Return the verbs whose operation can be imported."""
    import importlib

    there = {}
    for name, verb in VERBS.items():
        try:
            module = importlib.import_module(f"cloacina_ctl.operations.{name}")
        except ImportError:
            continue
        if hasattr(module, name):
            there[name] = verb
    return there
