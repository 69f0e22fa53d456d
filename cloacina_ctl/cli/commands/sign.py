"""``cloacina-ctl sign``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Command,
    Options,
    argument,
    group,
    option,
    repeatable,
)
from cloacina_ctl.cli.parsing.options import (
    ENVIRONMENT,
    FORCE,
    SIGNER,
    LimitOptions,
    PassphraseOptions,
    refuse_stdin_twice,
)

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.sign import Signed


class _SignerOptions(Options, panel="Keys"):
    """The keys that sign."""

    key = repeatable("--key KEY", f"Sign with this key (repeatable): {SIGNER}.", refers="key")
    passphrase = group(PassphraseOptions)


class _SignOptions(Options):
    package = argument("PACKAGE", "The package's file.")
    signer = group(_SignerOptions)
    remove = repeatable(
        "--remove FINGERPRINT", "Remove the signature of this key (repeatable).", refers="key"
    )
    replace = repeatable(
        "--replace FINGERPRINT", "Replace the signature of this key (repeatable).", refers="key"
    )
    comment = option("--comment TEXT", "A text to sign along with the package.")
    output = option(
        "--output -o FILE", "The file to write (default: the package itself, or the sidecar)."
    )
    force = FORCE
    limits = group(LimitOptions)


def _run(options: _SignOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.lock_wait import FILE, waits
    from cloacina_ctl.errors import Code, NotTrusted
    from cloacina_ctl.operations.keys import signing_keys
    from cloacina_ctl.operations.sign import SignRequest, sign

    signer = options.signer
    refuse_stdin_twice(options.package, signer.key)
    only_removes = bool(options.remove) and not signer.key and not options.replace
    keys = () if only_removes else signing_keys(signer.key, signer.passphrase.provider())
    if not keys and not only_removes:
        raise NotTrusted.of(
            Code.NO_SUCH_KEY, "no key to sign with", hint="make one: `cloacina-ctl key generate`"
        )
    signed = sign(
        SignRequest(
            path=options.package, keys=keys, remove=options.remove, replace=options.replace,
            comment=options.comment, output=options.output, overwrite=options.force,
            limits=options.limits.read(),
        ),
        reporter.progress(),
        waits(reporter, FILE),
    )  # fmt: skip
    reporter.result(
        {
            "path": signed.path, "size": signed.size, "content": signed.content,
            "added": list(signed.added), "removed": list(signed.removed),
            "already": list(signed.already), "signatures": signed.signatures,
            "sidecar": signed.sidecar,
        }
    )  # fmt: skip
    _show(signed, reporter)
    return 0


def _show(signed: Signed, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count

    for fingerprint in signed.removed:
        reporter.line(f"removed the signature of {fingerprint[:16]}")
    for fingerprint in signed.already:
        reporter.note(f"already signed by {fingerprint[:16]}: that signature is kept")
    for fingerprint in signed.added:
        reporter.line(f"signed by {fingerprint[:16]}")
    if signed.sidecar is not None:
        reporter.line(f"{escape(signed.sidecar)} signs every byte of {escape(signed.path)}")
        reporter.note(
            "it does not cover name, version or time, and servers do not read it as a file"
        )
        return
    reporter.line(f"{escape(signed.path)} has {count(signed.signatures, 'signature')}")


SIGN = Command(
    name="sign",
    summary="Add a signature to a package; its payload stays as it is.",
    description=(
        "The digest of every file is checked first. Without --key, signs with the key that you set "
        "(CLOACINA_CTL_SIGNING_KEY, config.toml), or the key named default. A legacy package "
        "cannot hold a signature: it gets one signature, in the sidecar x.cloacina.sig.\n\n"
        f"{ENVIRONMENT}"
    ),
    takes=_SignOptions,
    run=_run,
    examples=(
        ("cloacina-ctl sign x.cloacina", "with your own key"),
        ("cloacina-ctl sign x.cloacina --key release.pem", "with a key in a file"),
        ("cloacina-ctl sign x.cloacina --key env:SIGNING_KEY", "with a CI secret"),
        ("cloacina-ctl sign x.cloacina --remove 3f2a9c41", "remove a signature"),
    ),
)  # fmt: skip
