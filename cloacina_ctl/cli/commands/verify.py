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
    proved = (
        "all digests match" if verified.complete else "all present sections match their digests"
    )
    yield f"  {count(verified.files, 'file')}, {size(verified.size)}: {proved}"
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
    summary="Check every byte and the signatures of a package.",
    description=(
        "Exit 0: every byte is the one that was signed, and a trusted key signed it. Exit 3: "
        "damaged, or not a package. Exit 4: the content is intact, but no trusted key has signed "
        "it, or a signature fails. Accepts packages of every format; for a legacy package, prints "
        "what its signature covers and what it does not.\n\n"
        f"{TRUST_ENVIRONMENT}"
    ),
    takes=_VerifyOptions,
    run=_run,
    examples=(
        ("cloacina-ctl verify x.cloacina", "with the trusted keys, and your own"),
        ("cloacina-ctl verify x.cloacina --key author.pub", "with this key only"),
        ("cloacina-ctl verify x.cloacina --name etl --version 1.2.0 --threshold 2", "for scripts"),
    ),
)
