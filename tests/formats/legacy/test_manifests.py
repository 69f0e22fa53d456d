"""What the manifests of the generations say, and everything that is wrong with one at once."""

from __future__ import annotations

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.legacy.manifest_json import read_old_manifest
from cloacina_ctl.formats.legacy.package_toml import read_package_toml, read_provider
from cloacina_ctl.formats.limits import DEFAULT_LIMITS
from tests.support.archives import PACKAGE_TOML, pretty, v1_manifest, v2_manifest
from tests.support.legacy import PROVIDER


def old(value: object) -> object:
    return read_old_manifest(pretty(value), "manifest.json", DEFAULT_LIMITS)


def wrong(value: object) -> list[str]:
    with pytest.raises(Refused) as caught:
        old(value)
    return [found.message for found in caught.value.diagnostics]


def test_a_manifest_of_0_2_has_an_order_and_one_of_0_3_has_none():
    first = old(v1_manifest())
    assert (first.release, first.execution_order, first.library.filename) == (
        "0.2",
        (),
        "libdemo.so",
    )
    made = v1_manifest()
    del made["execution_order"]
    made["package"] |= {"author": "Ada", "workflow_fingerprint": "ff"}
    second = old(made)
    assert (second.release, second.author, second.workflow_fingerprint) == ("0.3", "Ada", "ff")


def test_the_graph_of_a_manifest_is_read():
    graph = {
        "nodes": [{"id": "a", "data": {"id": "a"}}, {"id": "b", "data": {}}],
        "edges": [{"from": "a", "to": "b", "data": {"weight": 0.5}}],
        "metadata": {"task_count": 2},
    }
    found = old(v1_manifest(graph=graph)).graph
    assert (found.nodes, found.edges) == (("a", "b"), (("a", "b"),))
    assert old(v1_manifest(graph=None)).graph is None


def test_unknown_keys_are_taken_and_remembered():
    made = v1_manifest(extra=1)
    made["package"]["more"] = 2
    made["tasks"][0]["retries"] = 3
    assert set(old(made).unknown) == {"extra", "package.more", "tasks[0].retries"}


def test_says_everything_that_is_wrong_at_once():
    made = v1_manifest()
    made["package"] |= {"name": "", "version": 7}
    del made["library"]["architecture"]
    made["tasks"][1] |= {"id": None, "dependencies": [1], "index": -1}
    assert wrong(made) == [
        "tasks[1].id: is missing",
        "tasks[1].dependencies: expected a list of texts",
        "tasks[1].index: is negative",
        "package.name: is empty",
        "package.version: expected a text, found a number",
        "library.architecture: is missing",
    ]
    assert wrong(v1_manifest(tasks={})) == ["tasks: expected a list of tables, found a table"]
    assert wrong(v1_manifest(tasks=["x"]))[0] == "tasks[0]: expected a table"
    assert "longer than" in wrong({**v1_manifest(), "execution_order": None, "package": {
        "name": "x" * 70_000, "version": "1", "cloacina_version": "1"}})[0]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b.so", "../x", "manifest.json"])
def test_a_library_is_named_by_a_plain_name(name):
    made = v1_manifest()
    made["library"]["filename"] = name
    assert "not the name of a member" in wrong(made)[0]


def test_a_manifest_of_format_2_is_read():
    trigger = {"name": "t", "trigger_type": "poll", "workflow": "demo", "poll_interval": "30s"}
    found = old(v2_manifest(triggers=[trigger]))
    assert (found.language, found.entry_module, found.library_path) == (
        "python",
        "demo.tasks",
        None,
    )
    assert (found.triggers[0].poll_interval, found.triggers[0].allow_concurrent) == ("30s", False)
    assert found.unknown == ()
    rust = v2_manifest(language="rust", rust={"library_path": "libx.so"})
    assert old(rust).library_path == "libx.so"
    assert "python or rust" in wrong(v2_manifest(language="ruby"))[0]


@pytest.mark.parametrize("version", [2, "3", 3, "", [2]])
def test_another_format_is_made_by_a_newer_version(version):
    with pytest.raises(Refused) as caught:
        old({**v1_manifest(), "format_version": version})
    assert caught.value.diagnostics[0].code is Code.NEWER_FORMAT


def test_tasks_are_limited():
    limits = DEFAULT_LIMITS._replace(tasks=1)
    for made in (v1_manifest(), v2_manifest()):
        with pytest.raises(Refused) as caught:
            read_old_manifest(pretty(made), "x", limits)
        assert caught.value.diagnostics[0].code is Code.LIMIT


TEXTS = {
    b"": "not JSON",
    b"[]": "not a JSON object",
    b'{"a": 1, "a": 1}': "`a` stands twice",
    b'{"a": NaN}': "no number: NaN",
    b'{"a": 1e999}': "too large",
    b'{"a": ' + b"1" * 20 + b"}": "a number of 20 digits",
    b'{"a": "\\ud800"}': "surrogate",
    b'{"a": "\xff"}': "not UTF-8",
    b"\xef\xbb\xbf{}": "not JSON",
    b'{"a":' * 33 + b"1" + b"}" * 33: "nested more than 32 deep",
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_refuses_json_that_two_readers_read_differently(text):
    with pytest.raises(Refused) as caught:
        read_old_manifest(text, "x", DEFAULT_LIMITS)
    assert TEXTS[text] in caught.value.diagnostics[0].message


def test_a_package_toml_says_what_it_says_and_no_more():
    found = read_package_toml(b'[package]\nname = "x"\nversion = "1"\n', "package.toml")
    assert (found.name, found.interface, found.language, found.triggers) == ("x", None, None, None)


def test_every_field_of_a_package_toml_is_read():
    text = (
        PACKAGE_TOML
        + b"""\
graph_name = "g"
reaction_mode = "when_any"
input_strategy = "latest"
package_type = ["workflow"]
novel = 1

[metadata.providers]
b = "0.1"
a = { path = "x" }

[[metadata.accumulators]]
name = "in"
accumulator_type = "passthrough"
config = { z = "1", a = "2" }

[[metadata.triggers]]
name = "t"
workflow = "demo"
poll_interval = "5s"
cron_expression = "* * * * *"
"""
    )
    found = read_package_toml(text, "package.toml")
    assert found.providers == ("a", "b")
    assert found.accumulators[0].config == (("a", "2"), ("z", "1"))
    assert found.triggers is not None
    assert found.triggers[0].cron_expression == "* * * * *"
    assert (found.package_type, found.graph_name) == (("workflow",), "g")
    assert found.unknown == ("metadata.novel",)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (b'runtime = "java"\n', "expected rust, python or wasm, found java"),
        (b'runtime = "wasm"\n', "[wasm] is missing, and the runtime is wasm"),
        (b'[python]\nentry_module = "x"\n', "[python] is there, and the runtime is rust"),
        (b'[metadata]\nentry_module = "a/b"\n', "not the dotted name of a module: a/b"),
        (b"[metadata]\nproviders = 1\n", "expected a table, found a number"),
        (b'[metadata]\naccumulators = [{name = "x", config = {a = 1}}]\n', "expected a text"),
    ],
)
def test_refuses_a_package_toml_that_no_release_takes(more, message):
    with pytest.raises(Refused) as caught:
        read_package_toml(b'[package]\nname = "x"\nversion = "1"\n' + more, "package.toml")
    assert message in caught.value.diagnostics[0].message


def test_a_provider_lists_its_constructors():
    found = read_provider(PROVIDER["package.toml"], PROVIDER["provider.json"], "x")
    assert (found.constructors, found.package.component) == (("copy", "move"), "files.wasm")
    assert found.package.runtime == "wasm"
    python = (
        b'[package]\nname = "x"\nversion = "1"\nruntime = "python"\n[python]\nentry_module="a"\n'
    )
    assert read_provider(python, b'{"constructors": []}', "x").constructors == ()
    with pytest.raises(Refused):
        read_provider(PROVIDER["package.toml"], b'{"constructors": [{}]}', "x")
