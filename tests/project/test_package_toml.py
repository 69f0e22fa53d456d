"""The resolved ``package.toml``: whatever the author's style, it says what it has to."""

from __future__ import annotations

import pytest

from cloacina_ctl.errors import Refused
from cloacina_ctl.manifest import Trigger
from cloacina_ctl.project import toml_editing
from cloacina_ctl.project.package_toml import PackageHeader, resolve
from cloacina_ctl.releases.table import find_release
from cloacina_ctl.toml import parse_toml

HEADER = PackageHeader(
    "demo", "1.0", "python", "demo_wf", 'What "it" does', None, None, "demo.tasks"
)
METADATA = {
    "language": "python", "workflow_name": "demo_wf", "description": 'What "it" does',
    "entry_module": "demo.tasks",
}  # fmt: skip
TEXTS = [
    b'[package]\nname = "demo"\nversion = "1.0" # the first\n[metadata]\n',
    b'package.name = "other" # by dots\nmetadata.language = "rust"\n',
    b'package = { name = "demo", version = "0" }\n',
    b'[package]\r\nname = "demo"\r\n\r\n# two\r\n[metadata]\r\nlanguage = "Python"\r\n',
    b"# nothing but this\n",
    b'package = 1\nmetadata = "text"\n',
    b'[package]\nname = "demo"\nruntime = "python"\n[python]\nentry_module = "x"\n[wasm]\n',
    b'[package]\nname = "demo"\n[metadata]\nauthor = "gone"\n[other]\nkept = 1 # so\n',
    b'[[metadata.accumulators]]\nname = "a" # one\n[[metadata.accumulators]]\nname = "b"\n',
]


@pytest.mark.parametrize("text", TEXTS)
def test_it_says_what_it_has_to_in_any_style(text):
    written = resolve(HEADER, text, find_release("0.10"))
    document = parse_toml(written, where="x")
    metadata = dict(document["metadata"])
    accumulators = metadata.pop("accumulators", None)
    assert metadata == METADATA
    assert accumulators in (None, [{"name": "a"}, {"name": "b"}])
    assert document["package"] == {
        "name": "demo", "version": "1.0", "interface": "cloacina-workflow-plugin",
        "interface_version": 1, "extension": "cloacina",
    }  # fmt: skip
    assert not {"python", "wasm"} & document.keys()
    assert resolve(HEADER, written, find_release("0.10")) == written


@pytest.mark.parametrize(
    ("number", "kept"),
    [(0, b"# the first"), (3, b"# two\r\n"), (7, b"kept = 1 # so"), (8, b"# one")],
)
def test_comments_and_tables_that_it_need_not_touch_stay(number, kept):
    assert kept in resolve(HEADER, TEXTS[number], find_release("0.10"))


def test_a_text_that_an_editor_does_not_take_is_written_anew(monkeypatch):
    def bad(*_):
        return b"not what was wanted ="

    monkeypatch.setattr(toml_editing, "edit", bad)
    document = parse_toml(resolve(HEADER, TEXTS[0], None), where="x")
    assert document["metadata"] == METADATA


def test_an_editor_that_fails_says_so_with_nothing():
    assert toml_editing.edit(b"a = ", {}, ()) is None
    assert toml_editing.edit(b"\xff", {}, ()) is None


def test_what_is_no_toml_is_refused():
    with pytest.raises(Refused):
        resolve(HEADER, b"a = ", None)


def test_provenance_is_a_comment_that_the_next_one_replaces():
    once = resolve(HEADER, None, None, "native sha256:1")
    assert once.startswith(b"# converted by cloacina-ctl from native sha256:1\n[package]")
    twice = resolve(HEADER, once, None, "source sha256:2")
    assert twice.count(b"# converted") == 1
    assert resolve(HEADER, twice, None) == resolve(HEADER, None, None)


def test_triggers_are_bound_for_the_runtimes_that_read_them_here():
    triggers = (
        Trigger("tick", "poll", poll_interval_ms=500),
        Trigger("night", "cron", cron="0 3 * * *", allow_concurrent=True),
    )
    header = HEADER._replace(triggers=triggers)
    found = parse_toml(resolve(header, None, find_release("0.5")), where="x")["metadata"]
    assert found["triggers"] == [
        {"name": "tick", "workflow": "demo_wf", "poll_interval": "500ms"},
        {
            "name": "night", "workflow": "demo_wf", "poll_interval": "30000ms",
            "cron_expression": "0 3 * * *", "allow_concurrent": True,
        },
    ]  # fmt: skip
    six = parse_toml(resolve(header, None, find_release("0.6")), where="x")
    assert "triggers" not in six["metadata"]
