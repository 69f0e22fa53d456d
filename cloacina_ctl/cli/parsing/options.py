"""Options that several commands share: one name, one help, one meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Kind, Option, Refers
from cloacina_ctl.errors import Code, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.cli.parsing.declaration import Values
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.formats.limits import Limits
    from cloacina_ctl.verification.policy import Rule

FORCE = Option(("--force",), "Replace the output if it exists.", Kind.FLAG)
JOBS = Option(
    ("--jobs", "-j"), "Threads to use (default: one for each processor).", Kind.INTEGER, "N"
)
LIMIT = Option(
    ("--limit",), "Raise a limit for this run, such as files=500000 (repeatable).", Kind.MANY,
    "NAME=N", panel="Limits",
)  # fmt: skip
RUST = "Rust"
FEATURES = (
    Option(("--features",), "Features to turn on (repeatable, or with commas).", Kind.MANY, "NAMES",
           panel=RUST),
    Option(("--no-default-features",), "Do not turn on the default features.", Kind.FLAG,
           panel=RUST),
)  # fmt: skip
KEY = Option(
    ("--key",),
    "Take signatures by this key only: a public key file (PEM, DER or OpenSSH), -, fd:N, env:NAME, "
    "or the name or fingerprint of a stored key (repeatable; default: the trusted keys and your "
    "own).",
    Kind.MANY, "KEY", panel="Trust", refers=Refers.KEY,
)  # fmt: skip
ALLOW_UNSIGNED = Option(
    ("--allow-unsigned",), "Take it without a signature by a known key.", Kind.FLAG, panel="Trust"
)
ACCEPTED_UNSIGNED = "warning: no trusted signature (accepted by --allow-unsigned)"
RULE = (
    KEY,
    ALLOW_UNSIGNED,
    Option(("--threshold",), "How many different known keys must have signed.", Kind.INTEGER, "N",
           1, panel="Trust"),
    Option(("--name",), "The package must have this name.", panel="Trust", metavar="NAME"),
    Option(("--version",), "The package must have this version.", panel="Trust", metavar="VERSION"),
    Option(("--content",), "The package must have this content digest.", panel="Trust",
           metavar="SHA256:HEX"),
    Option(("--signature",), "The sidecar of a package of another generation (default: beside it, "
           "with .sig at the end).", panel="Trust", metavar="FILE"),
)  # fmt: skip
_OTHERS = "Other runtimes"
FORMAT = Option(
    ("--format",),
    "native (default), source for Cloacina 0.4 and later, or v1 for 0.2 and 0.3.",
    metavar="FORMAT", choices=("native", "source", "v1"), panel=_OTHERS,
)  # fmt: skip
RUNTIME = Option(
    ("--runtime",),
    "Choose the format and the rules of this release, such as 0.10, or newest.",
    metavar="VERSION", panel=_OTHERS,
)  # fmt: skip
PAD = Option(
    ("--pad",),
    "Add padding where a source package would be too compressible to be loaded.", Kind.FLAG,
    panel=_OTHERS,
)  # fmt: skip
SIGN_FIDIUS = Option(
    ("--sign-fidius",),
    "Also put package.sig, the signature of fidius' programs, into a source package.", Kind.FLAG,
    panel=_OTHERS,
)  # fmt: skip
TENANT = Option(
    ("--tenant",), "For which tenant.", metavar="NAME", default="public", panel="Registry",
)  # fmt: skip
REGISTRY = Option(
    ("--registry",), "The folder of the registry (default: your own).", metavar="DIR",
    panel="Registry",
)  # fmt: skip
YES = Option(("--yes",), "Do it without asking.", Kind.FLAG)
PASSPHRASE_FD = Option(
    ("--passphrase-fd",), "Read the passphrase of a key from this file descriptor.", Kind.INTEGER,
    "N", panel="Keys", refers=Refers.CREDENTIAL,
)  # fmt: skip


def limits(values: Values) -> Limits:
    """Return the limits that ``--limit`` asks for."""
    from cloacina_ctl.operations.limits import raised_limits

    return raised_limits(values["limit"])


# What signs, for the help of whoever signs.
SIGNER = (
    "a key file (PEM, DER or OpenSSH), the name of a stored key, - for standard input, fd:N for a "
    "file descriptor, or env:NAME for a variable with the text of a key file or its base64"
)
ENVIRONMENT = (
    "Environment: CLOACINA_CTL_SIGNING_KEY is the key where no option names one, in the same "
    "forms; CLOACINA_CTL_PASSPHRASE_FILE is the file with its passphrase; "
    "CLOACINA_CTL_CONFIG_DIR is the folder of keys and trust."
)
TRUST_ENVIRONMENT = (
    "Environment: CLOACINA_CTL_CONFIG_DIR is the folder of your keys and of whom you trust."
)


def fingerprint_block(fingerprint: str, openssh_fingerprint: str) -> Iterator[str]:
    """Yield the lines that show a whole fingerprint as people compare it, and in OpenSSH's form."""
    from cloacina_ctl.operations.keys import fingerprint_lines

    first, second = fingerprint_lines(fingerprint)
    yield f"  fingerprint  {first}"
    yield f"               {second}"
    yield f"  OpenSSH      {openssh_fingerprint}"


def rule(values: Values, reporter: Reporter) -> Rule:
    """Return what a package must be, by the options of ``RULE``; warn of keys that are not seen.

    A key is read here, once for all packages: a pipe is there only once.
    """
    from cloacina_ctl.operations.keys import public_keys
    from cloacina_ctl.verification.policy import Rule, keys_at_hand

    refuse_stdin_twice(values["package"], values["key"])
    if not values["key"]:
        reporter.aside(
            one
            for one in keys_at_hand().unread
            if values["allow_unsigned"] or one.code is Code.UNUSABLE_STORED_KEY
        )
    return Rule(
        keys=public_keys(values["key"]),
        threshold=values["threshold"],
        allow_unsigned=values["allow_unsigned"],
        name=values["name"],
        version=values["version"],
        content=values["content"],
        limits=limits(values),
        jobs=values["jobs"] or None,
        signature=values["signature"],
    )


def refuse_stdin_twice(packages: str | tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Refuse a command line that takes a package and a key from standard input."""
    if "-" in keys and "-" in (packages if isinstance(packages, tuple) else (packages,)):
        raise UsageError.of(
            Code.USAGE,
            "standard input is one thing: the package, or the key",
            hint="give the key as a file, fd:N or env:NAME",
        )


def refuse_both(values: Values, first: str, second: str) -> None:
    """Refuse a command line with both of two options that exclude each other."""
    keys = [name[2:].replace("-", "_") for name in (first, second)]
    if all(values[key] for key in keys):
        raise UsageError.of(Code.USAGE, f"{first} and {second} exclude each other")


def chosen_features(values: Values) -> tuple[str, ...]:
    """Return the features to turn on."""
    return tuple(name for text in values["features"] for name in text.split(",") if name)
