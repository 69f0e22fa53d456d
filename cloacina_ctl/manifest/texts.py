"""Texts with a grammar of their own: versions, specifiers, licences. All linear, all bounded."""

from __future__ import annotations

import re

from cloacina_ctl.paths import judge_path

_NUMBER = r"(?:0|[1-9][0-9]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
# PEP 440 in its normal form.
_PEP440 = re.compile(
    rf"(?:[1-9][0-9]*!)?{_NUMBER}(?:\.{_NUMBER})*(?:(?:a|b|rc){_NUMBER})?(?:\.post{_NUMBER})?"
    rf"(?:\.dev{_NUMBER})?(?:\+(?:{_NUMBER}|[0-9]*[a-z][a-z0-9]*)(?:\.(?:{_NUMBER}|[0-9]*[a-z][a-z0-9]*))*)?"
)
_CLAUSE = re.compile(r"\s*(?:~=|===|[=!]=|[<>]=?)\s*[0-9A-Za-z.!+-]{1,64}(?:\.\*)?\s*")
_LICENSE_TOKEN = re.compile(r"\(|\)|[A-Za-z0-9.:-]+\+?")


def judge_semver(version: str) -> str | None:
    """Return what keeps ``version`` from being SemVer 2.0.0."""
    if _SEMVER.fullmatch(version):
        return None
    return f"a Rust package has a SemVer version (1.2.3), not: {version}"


def judge_pep440(version: str) -> str | None:
    """Return what keeps ``version`` from being a PEP 440 version in normal form."""
    if _PEP440.fullmatch(version):
        return None
    return f"a Python package has a PEP 440 version in its normal form, not: {version}"


def judge_specifier(text: str) -> str | None:
    """Return what keeps ``text`` from being a PEP 440 version specifier."""
    if all(_CLAUSE.fullmatch(clause) for clause in text.split(",")):
        return None
    return f"not a version specifier such as `>=3.10`: {text}"


def judge_license(text: str) -> str | None:
    """Return what keeps ``text`` from having the form of an SPDX expression.

    The form alone: the list of licences grows, and a runtime must not refuse next year's.
    """
    expects_operand, depth, position = True, 0, 0
    for token in _LICENSE_TOKEN.finditer(text):
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


def judge_member(text: str) -> str | None:
    """Return the rule for names of members that ``text`` breaks."""
    rule = judge_path(text)
    return None if rule is None else f"{rule}: {text}"


def judge_device(text: str) -> str | None:
    """Return why a package called ``text`` could not be unpacked on Windows."""
    rule = judge_path(text)
    return None if rule is None else f"{rule}: {text}"
