"""`validate` of packages of other generations: what they say wrongly, and what is too much."""

from __future__ import annotations

import pytest

from cloacina_ctl.checks.releases import facts_of_package
from cloacina_ctl.checks.subjects import LegacySubject
from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import DISCARD
from cloacina_ctl.inspection import legacy_contents
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.releases.rules import reasons_against
from cloacina_ctl.releases.table import RELEASES
from cloacina_ctl.signing.resolve import find_private
from cloacina_ctl.signing.sidecar import make_sidecar
from tests.support import archives
from tests.support.elf_builder import Elf
from tests.support.legacy import PROVIDER, RUST, library, source, v1, v1_manifest, v1_of_0_3, v2
from tests.support.workflow_libraries import fidius_library, raw_library

TOML = archives.PACKAGE_TOML
RUST_TAKEN = "without `language` under [package] too, the compiler takes it for Rust"


def found(path) -> dict[tuple[str, str], str]:
    """Return severity and message of each finding, by code and place."""
    report = validate(str(path)).report
    return {
        (str(one.code), one.where or "", one.message): one.severity.value  # type: ignore[misc]
        for one in report.findings
    }


def messages(path, code: str) -> list[str]:
    return [key[2] for key in found(path) if key[0] == code]


def errors(path) -> set[str]:
    report = validate(str(path)).report
    return {str(one.code) for one in report.findings if one.severity is Severity.ERROR}


def with_toml(text: bytes) -> bytes:
    return source({**archives.SOURCE, "package.toml": text})


@pytest.mark.parametrize(
    "data",
    [
        v1(),
        v1_of_0_3(),
        v2(),
        source(),
        source(RUST, "demo-1.0.0"),
        source(PROVIDER, "files-0.1.0"),
    ],
    ids=["v1", "v1-0.3", "v2", "source", "rust", "provider"],
)
def test_good_packages_have_no_errors(place, data):
    assert errors(place(data)) == set()


def test_what_should_not_be_there(place):
    stray = {
        ".env": b"TOKEN=x\n", "deploy/id_rsa": b"x", "workflow/demo/__pycache__/tasks.pyc": b"x",
        ".idea/workspace.xml": b"x", "demo-1.0.0.cloacina": b"", "notes.txt~": b"x",
        "config.txt": b"-----BEGIN PRIVATE KEY-----\nx\n", "vendor/certs/cacert.pem": b"x",
        ".git/HEAD": b"x", ".git/config": b"x",
        "target/CACHEDIR.TAG": b"x", "target/debug/x": b"x",
    }  # fmt: skip
    path = place(source({**archives.SOURCE, **stray}))
    told = {(key[0], key[1]) for key in found(path)}
    assert {place for code, place in told if code == "A023"} == {".env", "deploy/id_rsa"}
    assert {place for code, place in told if code == "A022"} == {
        "workflow/demo/__pycache__/", ".idea/", "demo-1.0.0.cloacina", "notes.txt~", ".git/",
        "target/",
    }  # fmt: skip
    assert {place for code, place in told if code == "P018"} == {"config.txt"}
    assert "an empty copy of the packer's own output" in messages(path, "A022")


def test_the_top_folder_is_named_as_the_package(place):
    path = place(source(root="other"))
    assert messages(path, "A025") == ["the top folder is other, expected demo-1.0.0"]
    assert errors(path) == set()


def test_the_manifest_against_the_library(place):
    made = v1_manifest()
    made["library"]["symbols"] = ["cloacina_execute_task", "get_task_metadata", "other"]
    made["library"]["architecture"] = "aarch64-apple-darwin"
    made["tasks"] = [{"id": "extract", "dependencies": []}]
    elf = raw_library("0.2")
    del elf.exports["get_task_metadata"]
    path = place(v1(made, elf.build()))
    assert errors(path) == {"B003", "B004", "B010", "M017"}
    (told,) = messages(path, "B004")
    assert told == "it states aarch64-apple-darwin; the library is for manylinux_2_34_x86_64"
    assert "it lists the symbol `get_task_metadata`, which is not exported" in messages(
        path, "B010"
    )
    assert "manifest and library disagree on the tasks: load, transform" in messages(path, "M017")


@pytest.mark.parametrize("claim", ["x86_64", "amd64", "linux-x86_64", "x86_64-unknown-linux-gnu"])
def test_an_architecture_may_be_spelt_in_several_ways(place, claim):
    made = v1_manifest()
    made["library"]["architecture"] = claim
    assert "B004" not in errors(place(v1(made)))


def test_an_architecture_that_is_not_stated_is_no_lie(place):
    made = v1_manifest()
    made["library"]["architecture"] = "unknown"
    path = place(v1(made))
    assert "the architecture is not stated" in messages(path, "M014")
    assert errors(path) == set()


def test_the_targets_of_format_2(place):
    made = archives.v2_manifest(language="rust", rust={"library_path": "libdemo.so"})
    made["package"]["targets"] = ["macos-arm64"]
    stream = archives.entry("manifest.json", archives.pretty(made))
    stream += archives.entry("libdemo.so", library()) + archives.END
    assert "B004" in errors(place(archives.gz(stream)))


ORDERS = {
    (): "execution_order is empty: no order is given",
    ("extract",): "execution_order does not name each task once",
    ("load", "extract", "transform"): "execution_order puts `load` before `extract`",
    ("extract", "transform", "load"): None,
}


@pytest.mark.parametrize("order", ORDERS, ids=len)
def test_the_order_of_tasks(place, order):
    path = place(v1({**v1_manifest(), "execution_order": list(order)}))
    expected = ORDERS[order]
    assert (messages(path, "M013") or [None])[0] == expected
    assert errors(path) == set()


def test_an_empty_order_of_no_tasks_is_right(place):
    path = place(v1({**v1_manifest(), "tasks": []}, fidius_library().build()))
    assert messages(path, "M013") == []


def test_the_graph_of_the_manifest_against_its_tasks(place):
    graph = {"nodes": [{"id": "extract"}], "edges": [{"from": "extract", "to": "load"}]}
    path = place(v1({**v1_manifest(), "graph": graph}))
    assert "`graph` and `tasks` of the manifest disagree: load, transform" in messages(path, "M017")


def test_tasks_that_wait_for_each_other(place):
    tasks = [{"id": "a", "dependencies": ["b"]}, {"id": "b", "dependencies": ["a"]}]
    assert "G003" in errors(place(v1({**v1_manifest(), "tasks": tasks})))
    double = archives.TASKS_PY.replace(b'id="load"', b'id="extract"')
    files = {**archives.SOURCE, "workflow/demo/tasks.py": double}
    assert "G001" in errors(place(source(files)))


def test_a_library_of_another_system_is_not_judged(place):
    path = place(v1(data=b"\xcf\xfa\xed\xfe" + bytes(200)))
    assert found(path)[next(key for key in found(path) if key[0] == "B001")] == "warning"
    for data in (b"text", b"", Elf().build()[:200]):
        assert errors(place(v1(data=data))) & {"B001", "B002", "B003"}


def test_the_name_that_the_library_gives_its_package(place):
    path = place(v1())
    assert "the library calls its package `etl-package`, the manifest another" in messages(
        path, "M017"
    )


def test_modules_against_a_manifest_of_format_2(place):
    made = archives.v2_manifest(tasks=[{"id": "x", "function": "demo.tasks:x"}], signature="x")
    path = place(archives.gz(archives.v2_tar(made)))
    assert "Y014" in errors(path)
    assert len(messages(path, "M015")) == 2
    assert "no release loads a package with `format_version` 2" in messages(path, "M016")


MANIFESTS = {
    "closed": (
        TOML + b"novel = 1\n",
        "`novel` under [metadata] is refused (Cloacina 0.6 and later)",
        "warning",
    ),
    "triggers": (
        TOML + b'[[metadata.triggers]]\nname = "t"\nworkflow = "demo"\npoll_interval = "5s"\n',
        "`triggers` under [metadata] is refused (Cloacina 0.6 and later)",
        "warning",
    ),
    "providers": (
        TOML + b'[metadata.providers]\nx = "0.1"\n',
        "`providers` under [metadata] is refused (Cloacina 0.6 to 0.9)",
        "warning",
    ),
    "package_type": (
        TOML + b"package_type = []\n",
        "`package_type` under [metadata] is refused (Cloacina 0.6 and later)",
        "warning",
    ),
    "workflow_name": (
        TOML.replace(b'workflow_name = "demo"\n', b""),
        "`workflow_name` under [metadata] is missing (Cloacina 0.4)",
        "warning",
    ),
    "package.language": (
        TOML,
        f"{RUST_TAKEN} (Cloacina 0.6 to 0.7)",
        "warning",
    ),
    "interface": (
        TOML.replace(b'interface = "cloacina-workflow-plugin"\n', b""),
        "`interface` under [package] is missing (Cloacina 0.4 and later)",
        "error",
    ),
    "entry_module": (
        TOML.replace(b'entry_module = "demo.tasks"\n', b""),
        "`entry_module` under [metadata] is missing (Cloacina 0.4 and later)",
        "error",
    ),
    "case": (
        TOML.replace(b'"python"', b'"Python"'),
        "`language` must be in lower case: Python (Cloacina 0.4 and later)",
        "error",
    ),
    "both": (
        TOML + b"novel = 1\n[metadata.providers]\n" + b'x = "0.1"\n',
        "`novel` under [metadata] is refused (Cloacina 0.6 and later)",
        "warning",
    ),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_which_releases_refuse_a_manifest(place, name):
    text, message, severity = MANIFESTS[name]
    told = {key[2]: value for key, value in found(place(with_toml(text))).items()}
    assert told[message] == severity


def test_a_crate_without_a_resolved_manifest_is_for_newer_releases(place):
    minimal = b'[package]\nname = "demo"\nversion = "1.0.0"\n\n[metadata]\n'
    files = {**RUST, "package.toml": minimal}
    assert messages(place(source(files)), "M016") == []
    files["Cargo.toml"] = RUST["Cargo.toml"].replace(b'"0.10"', b'"*"')
    path = place(source(files))
    told = messages(path, "M016")
    assert "`interface` under [package] is missing (Cloacina 0.4 to 0.9)" in told
    assert errors(path) == set()


def test_a_provider_has_its_component(place):
    files = {path: data for path, data in PROVIDER.items() if not path.endswith(".wasm")}
    assert errors(place(source(files, "files-0.1.0"))) == {"M011"}


def test_limits_of_releases(place):
    path = place(source())
    size = path.stat().st_size
    with open_any(str(path)) as package:
        contents = package.stream(DISCARD).contents
    subject = LegacySubject(path=str(path), size=size, contents=contents, language="python")
    strict = RELEASES[-1]._replace(total=1, entries=1, upload=1)
    codes = [reason.code for reason in reasons_against(strict, facts_of_package(subject))]
    assert codes.count(Code.RELEASE_LIMIT) == 3


def test_sizes_that_releases_refuse(place):
    files = {**archives.SOURCE, "data/zeros": bytes(100_000)}
    path = place(source(files))
    (told,) = messages(path, "A024")
    assert "at most 10 times is accepted (Cloacina 0.6 and later)" in told
    assert errors(path) == set()


def test_signatures_are_findings_too(place, config):
    keys.generate_key()
    path = place(source())
    sidecar = path.with_name(path.name + ".sig")
    key = find_private("default", str(config))
    sidecar.write_bytes(make_sidecar(Digest.of(b"other"), key))
    assert errors(path) == {"S003"}
    sidecar.write_bytes(make_sidecar(Digest.of(path.read_bytes()), key))
    assert not {one for one in found(path) if one[0].startswith("S")}
    keys.remove_key("default", forget=True)
    assert messages(path, "S002") == ["no trusted key has signed it"]


def test_members_that_the_language_needs(place):
    text = TOML.replace(b"demo.tasks", b"demo.absent")
    assert "M011" in errors(place(with_toml(text)))
    files = {path: data for path, data in RUST.items() if path != "Cargo.toml"}
    assert "M011" in errors(place(source(files)))
    broken = {**RUST, "Cargo.toml": b"[package\n"}
    assert "R012" in errors(place(source(broken)))


def test_everything_that_is_said_of_sources(place):
    late = archives.TASKS_PY.replace(b"def load", b"async def load")
    files = {**archives.SOURCE, "workflow/demo/tasks.py": late, "workflow/json.py": b""}
    assert errors(place(source(files))) == {"Y003", "Y005"}
    private = RUST["src/steps.rs"].replace(b"pub async fn", b"async fn")
    assert "R008" in errors(place(source({**RUST, "src/steps.rs": private})))


def test_unknown_keys_are_a_note(place):
    path = place(v1({**v1_manifest(), "extra": 1}))
    assert messages(path, "M003") == ["a key that no release knows: extra"]
    assert errors(path) == set()


def test_sources_that_were_not_read_are_named(place, monkeypatch):
    monkeypatch.setattr(legacy_contents, "MAX_SOURCES", 10)
    (told,) = messages(place(source()), "L001")
    assert told == "1 sources are too large to read: workflow/demo/tasks.py"


def test_findings_can_be_chosen(cli, place):
    place(source({**archives.SOURCE, ".env": b""}))
    assert cli("validate", "x.cloacina", "--select", "A023", "--json").codes == ["A023"]
    assert cli("validate", "x.cloacina").status == 0


def test_a_package_that_cannot_be_opened_is_a_finding(cli, place):
    place(source()[:-4])
    said = cli("validate", "x.cloacina", "--json")
    assert (said.status, said.codes) == (1, ["A019"])


def test_releases_follow_from_the_library(place):
    assert inspect(str(place(v1()))).releases == ("0.2", "0.3")
    assert inspect(str(place(v1_of_0_3()))).releases == ("0.3",)


def test_releases_follow_from_the_sources(place):
    def releases(files):
        return inspect(str(place(source(files)))).releases

    assert releases(RUST) == ("0.10",)
    newer = {**RUST, "Cargo.toml": RUST["Cargo.toml"].replace(b'"0.10"', b'"0.12"')}
    assert releases(newer) == ("0.11", "0.12")
    assert releases({path: RUST[path] for path in RUST if path != "Cargo.lock"}) == ()
    assert releases({**RUST, "src/lib.rs": b"mod steps;\n"}) == ()
    any_release = {**RUST, "Cargo.toml": RUST["Cargo.toml"].replace(b'"0.10"', b'"*"')}
    assert releases(any_release)[0] == "0.4"
    assert releases({**archives.SOURCE, "vendor/json.py": b""}) == ()
