"""The table of rules by runtime: whole, chosen by version, each rule with how it is known."""

from __future__ import annotations

import pytest

from cloacina_ctl.errors import UsageError
from cloacina_ctl.releases.table import (
    NEWEST_RELEASE,
    RELEASES,
    SHADOWED_NAMES,
    SOURCES,
    Release,
    find_release,
    in_words,
    release_of_crate,
    releases_with,
)


def test_every_rule_says_how_it_is_known():
    assert SOURCES.keys() == set(Release._fields) - {"name", "measured"}
    for source in SOURCES.values():
        assert source.known.startswith(("measured", "read in"))


def test_the_runtimes_stand_in_the_order_of_their_releases():
    numbers = [tuple(map(int, runtime.name.split("."))) for runtime in RELEASES]
    assert numbers == sorted(set(numbers))
    for runtime in RELEASES:
        assert runtime.measured.startswith(runtime.name + ".")


@pytest.mark.parametrize(
    ("text", "name"),
    [("0.10", "0.10"), ("0.3.1", "0.3"), ("0.2.0", "0.2"), ("newest", "0.12"), ("0.06", "0.6")],
)
def test_a_runtime_is_named_by_its_version(text, name):
    assert find_release(text).name == name


@pytest.mark.parametrize(
    "text", ["", "0", "0.1", "0.13", "1.0", "0.6.x", "new", "0.6.1.2", "x" * 900]
)
def test_an_unknown_version_is_refused_with_the_range_of_known_ones(text):
    with pytest.raises(UsageError) as caught:
        find_release(text)
    assert caught.value.diagnostics[0].hint == "use 0.2 to 0.12, or newest"


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("=0.6.1", "0.6"), ("0.10", "0.10"), ("^0.3.1", "0.3"), ("1", None), (None, None)],
)
def test_a_crate_is_written_for_the_runtime_that_it_requires(requirement, name):
    found = release_of_crate(requirement)
    assert (found.name if found else None) == name


def test_rules_are_told_with_the_runtimes_that_have_them():
    assert releases_with("ratio", 10) == "0.6 and later"
    assert releases_with("package_language", True) == "0.6 to 0.7"
    assert releases_with("upload", find_release("0.4").upload) == "0.4"
    assert releases_with("ratio", 11) == "none"
    assert in_words([find_release("0.4"), find_release("0.6")]) == "0.4, 0.6"


def test_the_rules_are_those_that_were_measured():
    old, four, six, newest = (find_release(v) for v in ("0.3", "0.4", "0.6", "newest"))
    assert (old.format, old.languages) == ("v1", ("rust",))
    assert (four.ratio, four.total, four.entries, four.metadata_keys) == (None,) * 4
    assert (six.ratio, six.total, six.entries) == (10, 500 << 20, 10_000)
    assert "providers" not in six.metadata_keys
    assert "providers" in newest.metadata_keys
    assert newest is NEWEST_RELEASE
    assert len(SHADOWED_NAMES) == 25
    assert {runtime.name for runtime in RELEASES if runtime.package_language} == {"0.6", "0.7"}
    assert find_release("0.5").upload > 99 << 20
