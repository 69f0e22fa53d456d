"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Options,
    choice,
    flag,
    group,
    number,
    option,
    repeatable,
)
from cloacina_ctl.errors import Code, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.formats.limits import Limits
    from cloacina_ctl.operations.packaging.target import FormatTarget
    from cloacina_ctl.operations.policy import VerificationPolicy

ACCEPTED_UNSIGNED = "warning: no trusted signature (accepted by --allow-unsigned)"
# The forms of a signing key, for the help of the verbs that sign.
SIGNER = (
    "a key file (PEM, DER or OpenSSH), the name of a stored key, - for standard input, fd:N for a "
    "file descriptor, or env:NAME for a variable with the text of a key file or its base64"
)
ENVIRONMENT = (
    "Environment: CLOACINA_CTL_SIGNING_KEY is the key if no option names one, in the same forms; "
    "CLOACINA_CTL_PASSPHRASE_FILE is the file with its passphrase; CLOACINA_CTL_CONFIG_DIR is the "
    "folder of your keys and of the trusted keys."
)
TRUST_ENVIRONMENT = (
    "Environment: CLOACINA_CTL_CONFIG_DIR is the folder of your keys and of the trusted keys."
)
DEFAULT_TENANT = "public"

FORCE = flag("--force", "Replace the output if it exists.")
JOBS = number("--jobs -j N", "The number of threads (default: one for each processor).")
YES = flag("--yes", "Do not ask for confirmation.")
REGISTRY = option("--registry DIR", "The folder of the registry (default: your own).")


class PassphraseOptions(Options, panel="Keys"):
    """The source of a key's passphrase."""

    descriptor = number(
        "--passphrase-fd N",
        "Read the passphrase of a key from this file descriptor.",
        refers="credential",
    )

    def provider(self) -> Callable[[str], bytes | None]:
        """Return the function that provides the passphrase of a key."""
        from cloacina_ctl.cli.terminal.prompt import provider

        return provider(self.descriptor)


class LimitOptions(Options, panel="Limits"):
    """The limits of the reader."""

    limit = repeatable(
        "--limit NAME=N", "Raise a limit for this run, such as files=500000 (repeatable)."
    )

    def read(self) -> Limits:
        """Return the requested limits."""
        from cloacina_ctl.operations.policy import raised_limits

        return raised_limits(self.limit)


class RegistryOptions(Options, panel="Registry"):
    """The place of installed packages."""

    tenant = option("--tenant NAME", "The tenant.", default=DEFAULT_TENANT)
    registry = REGISTRY


class FeatureOptions(Options, panel="Rust"):
    """The features of a crate."""

    names = repeatable("--features NAMES", "Features to turn on (repeatable, or with commas).")
    no_default = flag("--no-default-features", "Do not turn on the default features.")

    def chosen(self) -> tuple[str, ...]:
        """Return the features to turn on."""
        return tuple(name for text in self.names for name in text.split(",") if name)


class TargetOptions(Options, panel="Format and release"):
    """The format of a package, and the release that it is for."""

    format = choice(
        "--format",
        "native (default), source for Cloacina 0.4 and later, or v1 for 0.2 and 0.3.",
        ("native", "source", "v1"),
    )
    runtime = option(
        "--runtime VERSION",
        "Use the format and the rules of this release of Cloacina, such as 0.10, or newest.",
    )
    pad = flag("--pad", "Add padding if a source package would be too compressible to be loaded.")

    def choose(self) -> FormatTarget:
        """Return the requested format and release."""
        from cloacina_ctl.operations.packaging.target import choose_target

        return choose_target(self.format, self.runtime, pad=self.pad)


class KeyOptions(Options, panel="Trust"):
    """The keys whose signatures count."""

    key = repeatable(
        "--key KEY",
        "Accept only signatures by this key: a public key file (PEM, DER or OpenSSH), -, fd:N, "
        "env:NAME, or the name or fingerprint of a stored key (repeatable; default: the trusted "
        "keys and your own).",
        refers="key",
    )
    allow_unsigned = flag(
        "--allow-unsigned", "Accept a package without a signature by a trusted key."
    )


class TrustOptions(KeyOptions):
    """What a package must be to be accepted."""

    threshold = number(
        "--threshold N", "How many different trusted keys must have signed.", default=1
    )
    name = option("--name NAME", "The package must have this name.")
    version = option("--version VERSION", "The package must have this version.")
    content = option("--content SHA256:HEX", "The package must have this content digest.")
    signature = option(
        "--signature FILE",
        "The sidecar of a legacy package (default: the file beside it that ends with .sig).",
    )

    def rule(
        self,
        packages: str | tuple[str, ...],
        limits: LimitOptions,
        reporter: Reporter,
        *,
        jobs: int | None = None,
    ) -> VerificationPolicy:
        """Return the policy for ``packages``; warn of keys that cannot be read.

        A key is read here, once for all packages: a pipe can be read only once.
        """
        from cloacina_ctl.operations.policy import VerificationPolicy, public_keys, unread_keys

        refuse_stdin_twice(packages, self.key)
        if not self.key:
            reporter.aside(unread_keys(allow_unsigned=self.allow_unsigned))
        return VerificationPolicy(
            keys=public_keys(self.key),
            threshold=self.threshold,
            allow_unsigned=self.allow_unsigned,
            name=self.name,
            version=self.version,
            content=self.content,
            limits=limits.read(),
            jobs=jobs or None,
            signature=self.signature,
        )


class VerificationOptions(Options):
    """The options of verification."""

    trust = group(TrustOptions)
    jobs = JOBS
    limits = group(LimitOptions)

    def rule(self, packages: str | tuple[str, ...], reporter: Reporter) -> VerificationPolicy:
        """Return the policy for ``packages``, as ``TrustOptions.rule`` does."""
        return self.trust.rule(packages, self.limits, reporter, jobs=self.jobs)


def fingerprint_block(fingerprint: str, openssh_fingerprint: str) -> Iterator[str]:
    """Yield the lines with a full fingerprint, in groups of digits and in OpenSSH's form."""
    from cloacina_ctl.operations.keys import fingerprint_lines

    first, second = fingerprint_lines(fingerprint)
    yield f"  fingerprint  {first}"
    yield f"               {second}"
    yield f"  OpenSSH      {openssh_fingerprint}"


def refuse_stdin_twice(packages: str | tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Refuse a command line that takes a package and a key from standard input."""
    if "-" in keys and "-" in (packages if isinstance(packages, tuple) else (packages,)):
        raise UsageError.of(
            Code.USAGE,
            "package and key cannot both be on standard input",
            hint="give the key as a file, fd:N or env:NAME",
        )
