"""What `--json` prints is what `docs/schemas/` says, for every verb, when it works and when not."""

from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator

from cloacina_ctl.cli.parsing import table
from cloacina_ctl.digest import Digest
from cloacina_ctl.operations.results import signature_view
from cloacina_ctl.signing.fidius_signature import check_tree_signature, sign_tree
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.sidecar import check_sidecar_signature, make_sidecar, parse_sidecar
from cloacina_ctl.signing.signatures import KnownKey
from tests.support.json_schemas import REGISTRY, SCHEMAS, VALIDATORS, judge
from tests.support.legacy import source
from tests.support.machine import need
from tests.support.projects import DOCS, FIXTURES

OTHERS = {"common", "legacy", "usage", "version"}


@pytest.fixture
def answer(cli):
    """Run a verb with `--json`, judge what it prints, and return it."""

    def run(*words, status=0):
        said = cli(*words, "--json")
        assert (said.status, said.out.count("\n")) == (status, 1)
        found = said.json
        assert found["ok"] is (status == 0)
        judge(found)
        return found

    return run


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_refers_to_what_is_there(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    VALIDATORS[name].is_valid({"schema": "", "ok": True, "result": None, "diagnostics": []})


def test_every_verb_has_a_schema_of_its_name_and_the_page_names_each():
    verbs = {table.load(name).schema.split("/")[1] for name in table.NAMES}
    assert SCHEMAS.keys() == verbs | OTHERS
    page = (DOCS / "json.md").read_text("utf-8")
    assert set(re.findall(r"\(schemas/([a-z-]+)\.json\)", page)) == SCHEMAS.keys()


def test_keys_and_trust(answer):
    answer("key", "generate")
    answer("key", "generate", status=4)
    assert len(answer("key", "list")["result"]) == 1
    answer("key", "show", "default")
    answer("key", "show", "nobody", status=4)
    answer("key", "export", "default")
    answer("key", "export", "default", "-o", "me.pub")
    answer("key", "export", "default", "-o", "me.pub", status=8)
    answer("key", "import", "me.pub", "other")
    answer("key", "import", "absent.pub", "third", status=8)
    answer("key", "remove", "other", "--yes")
    answer("key", "remove", "other", status=4)
    assert answer("trust", "list")["result"] == []
    answer("trust", "add", "me.pub", "me")
    answer("trust", "add", "me.pub", "other", status=4)
    assert len(answer("trust", "list")["result"]) == 1
    answer("trust", "remove", "me")
    answer("trust", "remove", "me", status=4)


def test_package(answer, project):
    (project / "src" / "daily_report" / ".env").write_text("TOKEN=1")
    plan = answer("package", project, "--list")["result"]
    assert any(one["secret"] for one in plan["left_out"])
    made = answer("package", project, "-o", "x.cloacina")
    assert made["diagnostics"]
    assert made["result"]["signed_by"] == []
    answer("key", "generate")
    answer("package", project, "-o", "y.cloacina")
    answer("package", project, "-o", "y.cloacina", status=8)
    answer("package", FIXTURES / "broken_python", status=3)
    answer("package", "--require-signature", "--no-sign", status=2)


def test_packages_of_other_formats(answer, project):
    answer("key", "generate")
    plan = answer("package", project, "--format", "source", "--list")["result"]
    assert {one["section"] for one in plan["files"]} == {None}
    made = answer("package", project, "--runtime", "0.10", "-o", "x.cloacina")["result"]
    assert (made["format"], made["runtime"], made["sidecar"]) == (
        "source",
        "0.10",
        "x.cloacina.sig",
    )
    answer("package", project, "--runtime", "0.3", status=6)
    answer("package", project, "--runtime", "0.13", status=2)
    answer("convert", "x.cloacina", "--format", "native", "-o", "n.cloacina", status=3)
    words = ("--format", "native", "-o", "n.cloacina", "--lossy")
    converted = answer("convert", "x.cloacina", *words)["result"]
    assert converted["losses"]
    assert converted["source"]["content"] == made["content"]
    answer("convert", "n.cloacina", "--format", "source", "-o", "y.cloacina", status=4)


def test_inspect(answer, signed, tmp_path, monkeypatch):
    assert answer("inspect", signed)["result"]["signatures"][0]["status"] == "trusted"
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(tmp_path / "stranger"))
    stranger = answer("inspect", signed)["result"]["signatures"][0]
    assert stranger["status"] == "unknown-key"
    assert stranger["claimed"]
    answer("inspect", FIXTURES / "python_report", "--files")
    assert answer("inspect", FIXTURES / "rust_etl")["result"]["unbuilt"] == ["the library"]
    assert len(answer("inspect", signed, signed)["result"]) == 2
    assert len(answer("inspect", signed, "./absent", status=8)["result"]) == 1
    answer("inspect", FIXTURES, status=3)
    answer("inspect", project_file(), status=3)


def test_a_signature_that_fails(answer, signed):
    data = signed.read_bytes()
    at = data.index(b'"sig":"') + 10
    other = b"B" if data[at : at + 1] == b"A" else b"A"
    signed.write_bytes(data[:at] + other + data[at + 1 :])
    shown = answer("inspect", signed)["result"]["signatures"][0]
    assert (shown["status"], bool(shown["reason"])) == ("invalid", True)
    answer("verify", signed, status=4)
    answer("validate", signed, status=1)


def test_validate(answer, signed, unsigned, project):
    answer("validate", project)
    answer("validate", signed)
    assert answer("validate", unsigned)["diagnostics"][0]["severity"] == "warning"
    for broken in ("broken_python", "broken_rust"):
        assert answer("validate", FIXTURES / broken, status=1)["result"]["kind"] == "project"
    answer("validate", FIXTURES / "broken_python", "--select", "M")
    answer("validate", FIXTURES / "broken_python", "--select", "nothing", status=2)
    answer("validate", FIXTURES / "broken_python", "--ignore", "Y0100", status=2)
    damaged = signed.with_name("damaged.cloacina")
    damaged.write_bytes(signed.read_bytes()[:-1])
    assert answer("validate", damaged, status=1)["result"]["skipped"]
    answer("validate", "absent", status=8)


def test_verify(answer, signed, unsigned):
    assert isinstance(answer("verify", signed)["result"], dict)
    assert len(answer("verify", signed, signed)["result"]) == 2
    assert len(answer("verify", signed, "absent", status=8)["result"]) == 1
    assert answer("verify", unsigned, status=4)["result"] is None
    assert answer("verify", unsigned, "--allow-unsigned")["result"]["trusted_signers"] == []
    answer("verify", project_file(), status=3)


def test_unpack(answer, signed):
    assert answer("unpack", signed, "-o", "all")["result"]["complete"] is True
    some = answer("unpack", signed, "-o", "some", "--members", "*.toml")["result"]
    assert (some["complete"], some["files"]) == (False, ["package.toml"])
    answer("unpack", signed, "-o", "all", status=8)
    answer("unpack", signed, "-o", "none", "--members", "nothing", status=3)
    assert answer("unpack", signed)["result"]["destination"] == "daily-report-1.4.0"


def test_sign(answer, signed):
    answer("key", "generate", "second")
    both = answer("sign", signed, "--key", "second", "--comment", "seen")["result"]
    assert both["signatures"] == 2
    shown = answer("inspect", signed)["result"]["signatures"]
    assert [one.get("comment") for one in shown] == [None, "seen"]
    before = signed.read_bytes(), signed.stat().st_ino
    again = answer("sign", signed)["result"]
    assert (again["already"], again["signatures"]) == ([shown[0]["keyid"]], 2)
    assert (signed.read_bytes(), signed.stat().st_ino) == before
    assert answer("sign", signed, "-o", "copy.cloacina")["result"]["signatures"] == 2
    answer("sign", signed, "--comment", "new", status=2)
    answer("sign", signed, "--remove", both["added"][0])
    answer("sign", signed, "--remove", both["added"][0], status=4)
    answer("sign", "absent", status=8)


def test_sign_beside_a_package_of_another_generation(answer, tmp_path):
    answer("key", "generate")
    (tmp_path / "x.cloacina").write_bytes(source())
    made = answer("sign", "x.cloacina")["result"]
    assert made["content"].startswith("sha256:")
    assert made["sidecar"] == "x.cloacina.sig"
    answer("sign", "x.cloacina", "--comment", "no room", status=2)
    answer("key", "export", "default", "--private", "--form", "raw", "-o", "secret.key")


def test_signatures_of_other_generations():
    shape = Draft202012Validator({"$ref": "common.json#/$defs/signature"}, registry=REGISTRY)
    key, digest = PrivateKey.generate(), Digest.of(b"")
    known = (KnownKey(key.public, "ada"),)
    beside = parse_sidecar(make_sidecar(digest, key), where="x.cloacina.sig")
    inside = sign_tree(digest, key)
    for judged in (
        check_sidecar_signature(beside, digest, known),
        check_sidecar_signature(beside, digest, ()),
        check_sidecar_signature(beside, Digest.of(b"x"), known),
        check_tree_signature(inside, digest, known),
        check_tree_signature(inside, digest, ()),
        check_tree_signature(inside, digest, known, ["target/a"]),
    ):
        shape.validate(signature_view(judged).to_json())
    nameless = signature_view(check_tree_signature(inside, digest, ())).to_json()
    assert not shape.is_valid({**nameless, "signed_at": "2026-01-02T03:04:05Z"})
    assert not shape.is_valid({"status": "unknown-key"})


def test_schema_version_and_lines_that_are_wrong(answer):
    answer("schema")
    answer("schema", "word", status=2)
    answer("--version")
    for line in ("nothing", "key", "key nothing", "trust"):
        answer(*line.split(), status=2)


@pytest.mark.slow
def test_a_crate(answer):
    need("cargo")
    made = answer("package", FIXTURES / "rust_etl", "-o", "x.cloacina", "--offline", "--locked")
    assert made["result"]["language"] == "rust"
    assert answer("inspect", "x.cloacina")["result"]["manifest"]["artifacts"]
    answer("validate", "x.cloacina")
    answer("package", FIXTURES / "broken_rust", "--offline", status=3)


@pytest.mark.parametrize("part", ["answer", "result", "manifest", "signature", "tool"])
def test_an_answer_with_a_word_more_or_less_is_none(answer, signed, part):
    found = answer("inspect", signed)
    result = found["result"]
    place = {
        "answer": found, "result": result, "manifest": result["manifest"],
        "signature": result["signatures"][0], "tool": result["tool"],
    }[part]  # fmt: skip
    place["more"] = 1
    assert not VALIDATORS["inspect"].is_valid(found)
    del place["more"]
    judge(found)
    del place[next(iter(place))]
    assert not VALIDATORS["inspect"].is_valid(found)


@pytest.mark.parametrize("change", [{"ok": False}, {"result": None}, {"diagnostics": None}])
def test_an_answer_that_contradicts_itself_is_none(answer, change):
    found = answer("key", "list")
    assert not VALIDATORS["key-list"].is_valid({**found, **change})


def project_file():
    """Return a file that is no package."""
    return FIXTURES / "python_report" / "pyproject.toml"
