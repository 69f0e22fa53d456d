"""Typer's errors as our own errors, with our own messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.redaction import HIDDEN, secret_given, shown
from cloacina_ctl.suggestions import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

# Names that other programs have for our verbs. They precede spelling: `pack` is not a typo.
SYNONYMS = {
    **dict.fromkeys(("pack", "build", "create", "make", "bundle"), "package"),
    **dict.fromkeys(("check", "lint"), "validate"),
    **dict.fromkeys(("extract", "unzip", "untar"), "unpack"),
    **dict.fromkeys(("show", "info", "describe"), "inspect"),
    **dict.fromkeys(("push", "upload", "deploy"), "publish"),
    **dict.fromkeys(("rm", "remove", "delete"), "uninstall"),
    **dict.fromkeys(("exec", "start"), "run"),
    "ls": "list",
    "keygen": "key generate",
    "keys": "key list",
    **dict.fromkeys(("key create", "key gen", "key new"), "key generate"),
    "key add": "key import",
    **dict.fromkeys(("key rm", "key delete"), "key remove"),
    "key ls": "key list",
    "key inspect": "key show",
    **dict.fromkeys(("trust rm", "trust delete"), "trust remove"),
    "trust ls": "trust list",
    "trust import": "trust add",
    "version": "--version",
}
# Verbs of other programs that this one lacks, with the closest alternative.
ABSENT = {
    **dict.fromkeys(
        ("init", "new"),
        "start with `cargo new --lib` or `uv init --package`, then `cloacina-ctl validate` lists "
        "what is missing",
    ),
    **dict.fromkeys(
        ("login", "auth"),
        "there is no session: `publish` reads its token from --token-file or the environment, see "
        "`cloacina-ctl publish --help`",
    ),
    "diff": "compare the output of `cloacina-ctl inspect --json` for each package",
    "explain": "docs/codes.md explains each code",
}


def as_usage_error(error: Any) -> UsageError:  # noqa: ANN401 - click's; its module varies
    """Return our error for a ``ClickException``, whose wording depends on the version."""
    kind = type(error).__name__
    context = getattr(error, "ctx", None)
    param = getattr(error, "param", None)
    path = context.command_path if context is not None else "cloacina-ctl"
    help_hint = f"see `{path} --help`"
    if kind == "NoSuchOption":
        spelling = shown(str(error.option_name))
        if spelling == HIDDEN:
            return secret_given("the command line")
        return _wrong(
            f"no such option: {spelling}", _nearest(spelling, _flags(context)) or help_hint
        )
    if kind == "MissingParameter" and param is not None:
        return _wrong(f"{param.param_type_name} is missing: {_label(param)}", help_hint)
    message = _sentence(str(error.message))
    if message.startswith("missing command"):
        return _wrong("a command is missing", f"`{path} --help` lists them")
    return _wrong(f"{_label(param)}: {message}" if param is not None else message, help_hint)


def no_such_command(words: Iterable[str], known: Iterable[str]) -> UsageError:
    """Return the error for an unknown verb; ``words`` may begin with a group."""
    name = " ".join(map(shown, words))
    group = name.rpartition(" ")[0]
    program = f"cloacina-ctl {group}".strip()
    hint = ABSENT.get(name) or _nearest(name, known)
    if name in SYNONYMS:
        hint = f"use `cloacina-ctl {SYNONYMS[name]}`"
    return _wrong(f"no such command: {name}", hint or f"`{program} --help` lists them")


def missing_argument(name: str, command: str) -> UsageError:
    """Return the error for a missing argument."""
    return _wrong(f"argument is missing: {name}", f"see `cloacina-ctl {command} --help`")


def missing_value(flag: str, found: str | None, *, secret: bool) -> UsageError:
    """Return the error for an option without its value; ``secret`` where the value is one."""
    if found is None:
        return _wrong(f"a value is missing: {flag}", None)
    if secret or shown(found) == HIDDEN:
        return _wrong(
            f"{flag}: expected a value that does not begin with a dash; it is not shown",
            "put a secret into a file with mode 0600 and give the file's path",
        )
    return _wrong(
        f"{flag}: expected a value, found: {found}", f"if {found} is the value: `{flag}={found}`"
    )


def _nearest(word: str, known: Iterable[str]) -> str | None:
    bare = {name.lstrip("-"): name for name in known}
    near = closest(word.lstrip("-"), bare)
    return f"did you mean `{bare[near[0]]}`?" if near else None


def _sentence(text: str) -> str:
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].lower() + text[1:]


def _label(param: Any) -> str:  # noqa: ANN401 - as above
    flags = [flag for flag in param.opts if flag.startswith("-")]
    return max(flags, key=len) if flags else str(param.metavar or param.name)


def _flags(context: Any) -> list[str]:  # noqa: ANN401 - as above
    params = context.command.params if context is not None else []
    return [flag for param in params for flag in param.opts if flag.startswith("--")]


def _wrong(message: str, hint: str | None) -> UsageError:
    return UsageError.of(Code.USAGE, message, hint=hint)
