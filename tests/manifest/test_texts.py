"""Versions, specifiers, licences and modules; each judged in linear time."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from cloacina_ctl.manifest import fields, texts

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    "version",
    ["0.0.0", "1.2.3", "1.0.0-a", "1.0.0-0.x-y.1+001.b", "1.0.0+0", "1.0.0--", "9.9.9-0a"],
)
def test_takes_versions_of_semver(version: str) -> None:
    assert texts.semver_problem(version) is None


@pytest.mark.parametrize(
    "version",
    [
        "1",
        "1.0",
        "1.0.0.0",
        "01.0.0",
        "1.0.0-01",
        "1.0.0-",
        "1.0.0+",
        "1.0.0-a..b",
        "v1.0.0",
        "1.0.0+a+b",
        "1.0.0\n",
        " 1.0.0",
        "1.0.٣",
        "-1.0.0",
        "1.0.0rc1",
        "",
    ],
)
def test_refuses_what_is_no_version_of_semver(version: str) -> None:
    assert texts.semver_problem(version)


PIECES = st.sampled_from([*"0129.!+-_aAbrcdv", "a1", "rc", "post", "dev", ".post1", ".dev0", "10"])


@given(st.lists(PIECES, min_size=1, max_size=9).map("".join))
def test_a_version_of_python_is_one_that_packaging_spells_the_same(text: str) -> None:
    try:
        normal = str(Version(text)) == text
    except InvalidVersion:
        normal = False
    assert (texts.pep440_problem(text) is None) == normal


CLAUSES = st.tuples(
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~=", "=", "", "==="]),
    st.lists(PIECES | st.just(".*"), max_size=5).map("".join),
).map("".join)


@given(st.lists(CLAUSES, max_size=3).map(", ".join))
def test_every_specifier_that_is_taken_is_one_for_packaging(text: str) -> None:
    if texts.specifier_problem(text) is None:
        SpecifierSet(text)


@pytest.mark.parametrize(
    "text", [">=3.10", ">=3.10,<3.14", "~= 3.10", "==3.12.*", "!=3.11.0rc1", "> 3", "==1.0+local.1"]
)
def test_takes_the_specifiers_that_people_write(text: str) -> None:
    assert texts.specifier_problem(text) is None
    SpecifierSet(text)


@pytest.mark.parametrize("text", ["", "3.10", ">=", "=>3", ">=3.*", "~=3", ">=3.10,", ">=3\n"])
def test_refuses_what_is_no_specifier(text: str) -> None:
    assert texts.specifier_problem(text)


def test_packaging_refuses_them_too_but_for_the_empty_ones() -> None:
    for text in ("3.10", ">=", "=>3", ">=3.*", "~=3"):
        with pytest.raises(InvalidSpecifier):
            SpecifierSet(text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 OR MIT", True),
        ("(MIT AND BSD-3-Clause) OR GPL-2.0+", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("LicenseRef-Proprietary", True),
        ("", False),
        ("MIT MIT", False),
        ("MIT/Apache-2.0", False),
        ("OR MIT", False),
        ("MIT OR", False),
        ("(MIT", False),
        ("MIT)", False),
        ("()", False),
        ("MIT OR (", False),
        ("MIT, BSD", False),
    ],
)
def test_knows_the_form_of_an_spdx_expression(text: str, good: bool) -> None:
    assert (texts.license_problem(text) is None) == good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (">=0.6", True),
        (">= 0.6.1, < 0.9", True),
        ("^0.6", True),
        ("~0.6", True),
        ("0.6.1", True),
        ("", False),
        ("latest", False),
        (">=0.6,", False),
        ("*", False),
    ],
)
def test_knows_a_range_of_runtimes(text: str, good: bool) -> None:
    assert (texts.range_problem(text) is None) == good


def test_a_module_is_one_that_can_be_imported() -> None:
    assert texts.module_problem("demo.tasks") is None
    for text in ("class", "demo.import", "None"):
        assert texts.module_problem(text)


@pytest.mark.parametrize(
    "judge",
    [
        texts.semver_problem,
        texts.pep440_problem,
        texts.specifier_problem,
        texts.license_problem,
        texts.range_problem,
        texts.module_problem,
        texts.source_problem,
        texts.member_problem,
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "1." * 25000 + "x",
        "1" * 50000 + "!",
        "a" + "-" * 50000,
        "(" * 50000,
        "a." * 25000 + "!",
        ">=1" * 20000,
        "==1.0" + "-1" * 20000,
        " " * 50000 + "x",
        "1.0+" + "a." * 25000,
    ],
)
def test_no_text_takes_long(judge: Callable[[str], str | None], text: str) -> None:
    started = time.process_time()
    judge(text)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize("form", [fields.PACKAGE_NAME, fields.MODULE, fields.URL, fields.CRON])
def test_no_pattern_takes_long(form: fields.Text) -> None:
    assert form.pattern is not None
    for text in (
        "a" * 50_000 + "!",
        "a-" * 25_000,
        "* " * 25_000,
        "http://" + "a?" * 25_000 + "\n",
    ):
        started = time.process_time()
        re.fullmatch(form.pattern, text)
        assert time.process_time() - started < 0.2
