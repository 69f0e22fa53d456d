"""The table of rules by runtime: whole, chosen by version, each rule with how it is known."""

from __future__ import annotations

import pytest

from cloacina_ctl.errors import UsageError
from cloacina_ctl.releases import table
from cloacina_ctl.releases.table import (
    NEWEST_RUNTIME,
    RUNTIMES,
    SHADOWED_NAMES,
    SOURCES,
    Runtime,
    find_runtime,
    runtime_of_crate,
    with_rule,
)


def test_every_rule_says_how_it_is_known():
    assert SOURCES.keys() == set(Runtime._fields) - {"name", "release"}
    for source in SOURCES.values():
        assert source.known.startswith(("measured", "read in"))


def test_the_runtimes_stand_in_the_order_of_their_releases():
    numbers = [tuple(map(int, runtime.name.split("."))) for runtime in RUNTIMES]
    assert numbers == sorted(set(numbers))
    for runtime in RUNTIMES:
        assert runtime.release.startswith(runtime.name + ".")


@pytest.mark.parametrize(
    ("text", "name"),
    [("0.10", "0.10"), ("0.3.1", "0.3"), ("0.2.0", "0.2"), ("newest", "0.12"), ("0.06", "0.6")],
)
def test_a_runtime_is_named_by_its_version(text, name):
    assert find_runtime(text).name == name


@pytest.mark.parametrize(
    "text", ["", "0", "0.1", "0.13", "1.0", "0.6.x", "new", "0.6.1.2", "x" * 900]
)
def test_an_unknown_version_is_refused_with_the_range_of_known_ones(text):
    with pytest.raises(UsageError) as caught:
        find_runtime(text)
    assert caught.value.diagnostics[0].hint == "use 0.2 to 0.12, or newest"


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("=0.6.1", "0.6"), ("0.10", "0.10"), ("^0.3.1", "0.3"), ("1", None), (None, None)],
)
def test_a_crate_is_written_for_the_runtime_that_it_requires(requirement, name):
    found = runtime_of_crate(requirement)
    assert (found.name if found else None) == name


def test_rules_are_told_with_the_runtimes_that_have_them():
    assert with_rule("ratio", 10) == "0.6 and later"
    assert with_rule("package_language", True) == "0.6 to 0.7"
    assert with_rule("upload", find_runtime("0.4").upload) == "0.4"
    assert with_rule("ratio", 11) == "none"


def test_the_rules_are_those_that_were_measured():
    old, four, six, newest = (find_runtime(v) for v in ("0.3", "0.4", "0.6", "newest"))
    assert (old.format, old.languages) == ("v1", ("rust",))
    assert (four.ratio, four.total, four.entries, four.metadata_keys) == (None,) * 4
    assert (six.ratio, six.total, six.entries) == (10, 500 << 20, 10_000)
    assert "providers" not in six.metadata_keys
    assert "providers" in newest.metadata_keys
    assert newest is NEWEST_RUNTIME
    assert len(SHADOWED_NAMES) == 25
    assert {runtime.name for runtime in RUNTIMES if runtime.package_language} == {"0.6", "0.7"}
    assert table.find_runtime("0.5").upload > 99 << 20
