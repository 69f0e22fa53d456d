"""``cloacina-ctl verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Command, Options, arguments, group
from cloacina_ctl.cli.parsing.options import (
    ACCEPTED_UNSIGNED,
    TRUST_ENVIRONMENT,
    VerificationOptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.verify import Verified


class _VerifyOptions(Options):
    package = arguments("PACKAGE", "Packages, or `-` for standard input.")
    verification = group(VerificationOptions)


def _run(options: _VerifyOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.many_packages import with_each
    from cloacina_ctl.operations.verify import verify

    asked = options.package
    wanted = options.verification.rule(asked, reporter)

    def answer(path: str) -> dict[str, object]:
        verified = verify(path, wanted, reporter.progress())
        for line in _lines(verified, reporter):
            reporter.line(line)
        return _as_json(verified)

    status, refused = with_each(asked, answer, reporter)
    if len(asked) > 1:
        end = f", {refused} refused" if refused else ""
        reporter.line(f"{len(asked) - refused} of {len(asked)} verified{end}")
    return status


def _lines(verified: Verified, reporter: Reporter) -> Iterator[str]:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.inspection import coverage_lines, signature_line
    from cloacina_ctl.cli.terminal.units import count, size

    mark = reporter.paint("green", "✓")
    yield f"{mark} {escape(verified.path)}: {escape(verified.name)} {escape(verified.version)}"
    whole = "every byte is the right one" if verified.complete else "what is here is the right one"
    yield f"  {count(verified.files, 'file')}, {size(verified.size)}: {whole}"
    yield f"  content {verified.content}"
    for signature in verified.signatures:
        yield "  " + signature_line(signature, reporter.paint)
        for line in coverage_lines(signature):
            yield "    " + line
    if not verified.trusted_signers:
        yield "  " + reporter.paint("yellow", ACCEPTED_UNSIGNED)


def _as_json(verified: Verified) -> dict[str, object]:
    return {
        "path": verified.path,
        "format": verified.format,
        "name": verified.name,
        "version": verified.version,
        "content": verified.content,
        "size": verified.size,
        "files": verified.files,
        "complete": verified.complete,
        "trusted_signers": list(verified.trusted_signers),
        "signatures": [signature.to_json() for signature in verified.signatures],
    }


VERIFY = Command(
    name="verify",
    summary="Prove every byte of a package, and say who vouches for it.",
    description=(
        "Exit 0: every byte is the one that was signed, by a key that you trust. Exit 3: damaged "
        "or no package. Exit 4: the content is whole, but nobody you know vouches for it, or a "
        "signature fails. Packages of every generation are taken; what a signature of an older one "
        "covers, and what not, is said.\n\n"
        f"{TRUST_ENVIRONMENT}"
    ),
    takes=_VerifyOptions,
    run=_run,
    examples=(
        ("cloacina-ctl verify x.cloacina", "by the keys that you trust, and your own"),
        ("cloacina-ctl verify x.cloacina --key author.pub", "by this key alone"),
        ("cloacina-ctl verify x.cloacina --name etl --version 1.2.0 --threshold 2", "for scripts"),
    ),
)
