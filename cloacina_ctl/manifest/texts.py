"""Texts with a grammar of their own: versions, specifiers, licenses. All linear, all bounded."""

from __future__ import annotations

import re
from functools import lru_cache

from cloacina_ctl.paths import check_path

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRE = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_LOCAL = rf"(?:{_NUMBER}|[0-9]*[a-z][a-z0-9]*)"
PEP440 = (  # in its normal form
    rf"(?:[1-9][0-9]*!)?{_NUMBER}(?:\.{_NUMBER})*(?:(?:a|b|rc){_NUMBER})?(?:\.post{_NUMBER})?"
    rf"(?:\.dev{_NUMBER})?(?:\+{_LOCAL}(?:\.{_LOCAL})*)?"
)
# Clauses of PEP 440 specifiers; versions in them need not be in normal form.
_EPOCH = r"v?(?:[0-9]+!)?"
_RELEASE = r"[0-9]+(?:\.[0-9]+)*"
_SUFFIX = (
    r"(?:[._-]?(?:alpha|a|beta|b|preview|pre|c|rc)[._-]?[0-9]*)?"
    r"(?:[._-]?(?:post|rev|r)[._-]?[0-9]*|-[0-9]+)?(?:[._-]?dev[._-]?[0-9]*)?"
)
_CLAUSE = (
    rf"(?i:(?:==|!=) *{_EPOCH}{_RELEASE}(?:\.\*|{_SUFFIX}(?:\+[a-z0-9]+(?:[._-][a-z0-9]+)*)?)"
    rf"|~= *{_EPOCH}[0-9]+(?:\.[0-9]+)+{_SUFFIX}"
    rf"|[<>]=? *{_EPOCH}{_RELEASE}{_SUFFIX})"
)
_RANGE = r"(?:(?:[<>]=?|==?|~=?|\^) *)?[0-9][0-9A-Za-z.+*-]*"
_LICENSE_WORD = r"\(|\)|[A-Za-z0-9.:-]+\+?"
# Python's reserved words: written down, for an interpreter's own list may grow.
_KEYWORDS = frozenset({
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
})  # fmt: skip


def semver_problem(version: str) -> str | None:
    """Return why ``version`` is not SemVer 2.0.0, or None."""
    if re.fullmatch(SEMVER, version):
        return None
    return f"a Rust package has a SemVer version (1.2.3), not: {version}"


def pep440_problem(version: str) -> str | None:
    """Return why ``version`` is not a PEP 440 version in normal form, or None."""
    if re.fullmatch(PEP440, version):
        return None
    return f"a Python package has a PEP 440 version in its normal form, not: {version}"


def specifier_problem(text: str) -> str | None:
    """Return why ``text`` is not a PEP 440 version specifier, or None."""
    if all(re.fullmatch(_CLAUSE, clause.strip(" ")) for clause in text.split(",")):
        return None
    return f"not a version specifier such as `>=3.10`: {text}"


def range_problem(text: str) -> str | None:
    """Return why ``text`` is not a range of releases, or None."""
    if all(re.fullmatch(_RANGE, clause.strip(" ")) for clause in text.split(",")):
        return None
    return f"not a version range such as `>=0.6, <0.8`: {text}"


def module_problem(text: str) -> str | None:
    """Return why no import statement could name the module ``text``, or None."""
    for part in text.split("."):
        if part in _KEYWORDS:
            return f"a module cannot be called `{part}`, which is a word of the language: {text}"
    return None


def source_problem(text: str) -> str | None:
    """Return why ``path:line`` is not a place in the project, or None."""
    return member_problem(text.rpartition(":")[0])


def license_problem(text: str) -> str | None:
    """Return why ``text`` does not have the form of an SPDX expression, or None.

    Only the form: the list of licenses grows, and a reader must not refuse next year's.
    """
    expects_operand, depth, position = True, 0, 0
    for token in re.finditer(_LICENSE_WORD, text):
        if text[position : token.start()].strip(" "):
            break
        position, word = token.end(), token.group()
        if word == "(" and expects_operand:
            depth += 1
        elif word == ")" and not expects_operand and depth:
            depth -= 1
        elif word in ("AND", "OR", "WITH") and not expects_operand:
            expects_operand = True
        elif word not in ("(", ")", "AND", "OR", "WITH") and expects_operand:
            expects_operand = False
        else:
            break
    else:
        if position == len(text) and not expects_operand and not depth:
            return None
    return f"not an SPDX expression such as `MIT OR Apache-2.0`: {text}"


@lru_cache(maxsize=256)  # the tasks of a manifest stand in few files
def member_problem(text: str) -> str | None:
    """Return the rule for names of members that ``text`` breaks, or None."""
    rule = check_path(text)
    return None if rule is None else f"{rule}: {text}"
