"""Recognize secrets, and keep them out of every text that is shown.

Two lines of defense. A word of the user passes through ``shown`` before it goes into a message. A
message passes through ``redacted`` before it is printed: that masks the secrets that this process
knows, and pieces of them, and every text with the shape of a secret.

The shapes of tokens follow what their issuers document, as the rules of gitleaks collect them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HIDDEN = "[not shown]"
KEY_BEGIN = r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
SHORTEST = 8  # a piece of a secret of that many characters is not shown either


class TokenShape(NamedTuple):
    """The shape of a token: ``needle`` is in each of them, and quick to search for.

    ``in_files`` is true where one inside a file is a finding: examples of some are everywhere.
    """

    what: str
    needle: str
    pattern: str
    in_files: bool = True


TOKENS = (
    TokenShape("an AWS access key", "AKIA", r"AKIA[A-Z2-7]{16}\b"),
    TokenShape("a temporary AWS access key", "ASIA", r"ASIA[A-Z2-7]{16}\b", in_files=False),
    TokenShape("a GitHub token", "gh", r"gh[pousr]_[0-9A-Za-z]{36}"),
    TokenShape("a GitHub token", "github_pat_", r"github_pat_\w{36}"),
    TokenShape("a GitLab token", "glpat-", r"glpat-[\w-]{20}"),
    TokenShape("a Slack token", "xox", r"xox[abeoprs]-[\w-]{10}[\w-]*"),
    TokenShape("a Stripe key", "_live_", r"[rs]k_live_[0-9A-Za-z]{10,99}"),
    TokenShape("a Google API key", "AIza", r"AIza[\w-]{35}"),
    TokenShape("an npm token", "npm_", r"npm_[0-9A-Za-z]{36}"),
    TokenShape("a PyPI token", "pypi-AgE", r"pypi-AgE[\w-]{50,}"),
    TokenShape("a Hugging Face token", "hf_", r"hf_[A-Za-z]{34}\b"),
    TokenShape("a Cloacina API key", "clk_", r"clk_\w{16,}", in_files=False),
    TokenShape("an age secret key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    TokenShape(
        "a JSON web token", "eyJ", r"eyJ[\w-]{10,400}\.eyJ[\w-]{10,}(?:\.[\w-]*)?", in_files=False
    ),
)  # fmt: skip
_PASSWORD = r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # noqa: S105 - of a URL
# Between the two lines of a key: base64, headers, and line ends that were spelled out.
_KEY = rf"{KEY_BEGIN}(?:[\w+/=,:\s-]|\\[nrt])*"
_RUN = r"[0-9A-Za-z+/_-]{32,}"
_FINGERPRINT = r"SHA256:[0-9A-Za-z+/]{43}=?"  # of OpenSSH: of a public key
_HEX = r"[0-9A-Fa-f]{32,}|(?:[0-9A-Fa-f]{2}:){15,}[0-9A-Fa-f]{2}"  # with colons as OpenSSL has it
_MARKED_HEX = r"(?:\b(?:0x|env:|fd:)|\A--?)([0-9A-Fa-f]{32,})"  # no digest is spelled so

_known: dict[str, str] = {}
_line: Sequence[str] = ()
_variables_are_known = True


def begin(words: Sequence[str]) -> None:
    """Begin a run with the command line ``words``: secrets of an earlier run are forgotten."""
    global _line, _variables_are_known
    _known.clear()
    _line, _variables_are_known = words, False


def remember(secret: str, mask: str = HIDDEN) -> None:
    """Never let ``redacted`` return ``secret`` from now on: ``mask`` takes its place."""
    if secret:
        _known[secret] = mask


def looks_secret(text: str) -> bool:
    """Return whether ``text`` looks like a secret itself rather than like the name of something.

    By its shape alone: a private key, a token, 32 bytes in hex or base64, a password in a URL.
    The path of an existing file, or of one in an existing folder, is not a secret.
    """
    if len(text) < 2 * SHORTEST and "clk_" not in text and "://" not in text:
        return False
    return (_is_hex(text) or any(_parts(text))) and not _exists(text)


def looks_key(text: str) -> bool:
    """Return whether ``text``, given as a key's name or file, is more likely the key itself."""
    import re

    bare = re.sub(r"[\s:]", "", text)  # a fingerprint has that form, too
    if (_is_hex(bare) and len(bare) <= 64) or re.fullmatch(_FINGERPRINT, text):
        return False
    if looks_secret(text):
        return True
    odd = any(character < " " for character in text) or text.endswith("=")
    return (odd or (len(text) > 64 and "/" not in text)) and not _exists(text)


def shown(text: str) -> str:
    """Return ``text``, or a replacement where it looks like a secret.

    Of a URL only the password is left out.
    """
    if not looks_secret(text):
        return text
    masked = _replaced(_PASSWORD, text) if "://" in text else text
    return HIDDEN if looks_secret(masked) else masked


def shown_word(text: str) -> str:
    """Return ``text`` where it is one short word, as names are; else a replacement."""
    is_word = text.isprintable() and " " not in text and len(text) <= 64
    return shown(text) if is_word else HIDDEN


def shown_file(path: str, place: str) -> str:
    """Return the ``path`` of a file with a secret, or the ``place`` that names it.

    A word that is no file may be the secret itself, whatever it looks like.
    """
    plausible = _exists(path) or ("/" in path and not looks_secret(path))
    return path if plausible else f"{place} (its value is not shown)"


def refuse_key_text(text: str, place: str) -> None:
    """Raise ``UsageError`` where ``text`` is a key instead of a key's name or file."""
    if looks_key(text):
        raise UsageError.of(
            Code.SECRET_GIVEN,
            "the value looks like a key itself, not like a key's name or file; it is not shown",
            where=place,
            hint="put the key into a file with mode 0600 and give the file's path, or into a "
            "variable of its own, here SIGNING_KEY, and give `env:SIGNING_KEY`",
        )


def refuse_secret_text(text: str, place: str) -> None:
    """Raise ``UsageError`` where ``text`` is a secret, such as a token, instead of its file."""
    if looks_secret(text):
        raise secret_given(place)


def secret_given(place: str) -> UsageError:
    """Return the error for a secret in a place where none belongs."""
    return UsageError.of(
        Code.SECRET_GIVEN,
        "the value looks like a secret itself, not like the name of something; it is not shown",
        where=place,
        hint="put the secret into a file with mode 0600 and give the file's path",
    )


def redacted(text: str) -> str:
    """Return ``text`` without secrets: the known ones, and texts with the shape of one."""
    for secret, mask in _secrets():
        text = _without(text, secret, mask)
    if "PRIVATE KEY" in text:
        text = _replaced(_KEY, text)
    if "://" in text and "@" in text:
        text = _replaced(_PASSWORD, text)
    for token in TOKENS:
        if token.needle in text:
            text = _replaced(token.pattern, text)
    return text


def _secrets() -> list[tuple[str, str]]:
    """Return the known secrets, the longest first: a part must not hide the whole."""
    global _variables_are_known  # noqa: PLW0603 - as above
    if not _variables_are_known:
        _variables_are_known = True
        for text in (*_line, *_variables()):
            if len(text) >= SHORTEST and not _exists(text):
                for part in _parts(text):
                    _known.setdefault(part, HIDDEN)
    return sorted(_known.items(), key=lambda known: -len(known[0]))


def _variables() -> Iterator[str]:
    """Yield secrets of the environment that messages may quote: our own, and those of proxies."""
    for name, value in os.environ.items():
        if name.startswith("CLOACINA_CTL_") or name.lower().endswith("_proxy"):
            yield value


def _parts(text: str) -> Iterator[str]:
    """Yield the parts of ``text`` that have the shape of a secret."""
    import re

    if "PRIVATE KEY" in text:
        for key in re.findall(_KEY, text):
            yield from re.findall(r"[\w+/=]{8,}", re.sub(r"\\[nrt]|-----[A-Z ]+-----", " ", key))
    if "://" in text:
        for found in re.findall(_PASSWORD, text):
            yield found.partition(":")[2]
    for token in TOKENS:
        if token.needle in text:
            yield from re.findall(token.pattern, text)
    yield from re.findall(_MARKED_HEX, text)
    for run in re.findall(_RUN, re.sub(_FINGERPRINT, " ", text)):
        if _is_random(run):
            yield run


def _is_random(run: str) -> bool:
    """Return whether ``run`` is base64, not words or a path: its letters change case more often."""
    from itertools import pairwise

    if run.islower() or run.isupper():
        return False
    kinds = [
        "a" if c.islower() else "A" if c.isupper() else "0" if c.isdigit() else "" for c in run
    ]
    pairs = [pair for pair in pairwise(kinds) if all(pair)]
    return sum(first != second for first, second in pairs) >= 0.35 * max(1, len(pairs))


def _is_hex(text: str) -> bool:
    import re

    return re.fullmatch(_HEX, text.lstrip("-")) is not None  # perhaps taken for an option


def _exists(path: str) -> bool:
    """Return whether ``path`` is an existing file, or a new name in an existing folder."""
    try:
        folder = os.path.dirname(path)  # base64 may begin with slashes, too
        return os.path.lexists(path) or (folder.strip("/") != "" and os.path.isdir(folder))
    except ValueError:  # no name that a file could have
        return False


def _replaced(pattern: str, text: str) -> str:
    import re

    return re.sub(pattern, lambda _: HIDDEN, text)


def _without(text: str, secret: str, mask: str) -> str:
    """Return ``text`` without ``secret``, and without pieces of a long one: texts may be cut."""
    if len(secret) < SHORTEST:  # perhaps a word that stands inside of others
        import re

        return re.sub(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", lambda _: mask, text)
    text = text.replace(secret, mask)
    if len(secret) < 2 * SHORTEST:
        return text
    pieces = {secret[at : at + SHORTEST] for at in range(len(secret) - SHORTEST + 1)}
    if not any(piece in text for piece in pieces):
        return text
    kept, at = [], 0
    while at < len(text):
        end = at
        while text[end : end + SHORTEST] in pieces:
            end += 1
        if end == at:
            kept.append(text[at])
            at += 1
        else:
            kept.append(mask)
            at = end + SHORTEST - 1
    return "".join(kept)
