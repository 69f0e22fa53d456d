"""The main job for crates: built by cargo, read without being run, packed, proved, unpacked.

The fixtures are built where they stand, so that their dependencies are compiled once.
"""

import hashlib
import json
import shutil

import pytest

from tests.support.machine import need
from tests.support.projects import FIXTURES

pytestmark = pytest.mark.slow


@pytest.fixture
def crate():
    need("cargo")
    return FIXTURES / "rust_etl"


def test_the_whole_story_of_a_crate(cli, crate, tmp_path):
    assert cli("key", "generate").status == 0
    made = cli("package", crate, "-o", "x.cloacina", "--locked", "-v")
    assert made.status == 0, made.err
    assert "--include-source" in made.err

    manifest = cli("inspect", "x.cloacina", "--json").json["result"]["manifest"]
    (artifact,) = manifest["artifacts"]
    assert artifact["interface"]["kind"] == "fidius"
    assert artifact["interface"]["abi"] == 200
    assert artifact["platform"].startswith(("manylinux_", "musllinux_", "linux_"))
    assert "unloaded" not in artifact
    tasks = {task["id"]: task for task in manifest["workflows"][0]["tasks"]}
    assert tasks["report"]["dependencies"] == ["check_orders", "total_orders"]
    assert tasks["load_orders"]["retry"]["attempts"] == 5
    assert tasks["report"]["source"].startswith("source/src/orders.rs:")

    assert cli("validate", "x.cloacina").status == 0
    assert cli("verify", "x.cloacina").status == 0
    assert cli("unpack", "x.cloacina", "-o", "there").status == 0
    library = tmp_path / "there" / artifact["path"]
    built = next((crate / "target" / "cloacina-ctl").rglob("release/liborders_etl.so"))
    assert library.read_bytes() == built.read_bytes()


def test_a_library_that_was_not_loaded_is_marked_and_else_the_same(cli, crate):
    packed = {}
    for name, words in (("loaded", ()), ("not", ("--no-load",))):
        made = cli("package", crate, "-o", name, "--locked", "--no-sign", *words)
        assert made.status == 0, made.err
        packed[name] = cli("inspect", name, "--json").json["result"]["manifest"]
    (artifact,) = packed["not"]["artifacts"]
    assert artifact.pop("unloaded") is True
    assert packed["not"] == packed["loaded"]
    assert "not loaded when it was packaged" in cli("inspect", "not").out


def test_the_source_goes_along_when_that_is_asked(cli, crate, tmp_path):
    made = cli("package", crate, "-o", "x.cloacina", "--locked", "--include-source", "--no-sign")
    assert made.status == 0, made.err
    assert cli("validate", "x.cloacina").status == 0
    assert cli("unpack", "x.cloacina", "-o", "there", "--allow-unsigned").status == 0
    for path in [crate / "Cargo.toml", crate / "Cargo.lock", *(crate / "src").rglob("*.rs")]:
        name = path.relative_to(crate)
        assert (tmp_path / "there" / "source" / name).read_bytes() == path.read_bytes()
    assert (tmp_path / "there" / "package.toml").is_file()


def test_two_packs_of_one_build_are_equal(cli, crate, tmp_path):
    for name in ("one", "two"):
        assert cli("package", crate, "-o", f"{name}.cloacina", "--locked", "--no-sign").status == 0
    digests = {
        hashlib.sha256((tmp_path / f"{n}.cloacina").read_bytes()).digest() for n in ("one", "two")
    }
    assert len(digests) == 1


def test_no_path_of_the_builder_is_left_in_the_library(cli, crate, tmp_path):
    made = cli("package", crate, "-o", "x.cloacina", "--locked", "--no-sign")
    assert made.status == 0
    cli("unpack", "x.cloacina", "-o", "there", "--allow-unsigned")
    (library,) = (tmp_path / "there" / "platform").rglob("*.so")
    data = library.read_bytes()
    for foreign in (str(crate), ".cargo/registry/src", ".rustup/toolchains"):
        assert foreign.encode() not in data


def test_a_crate_runs_from_its_folder_unsigned(cli, crate):
    ran = cli("run", crate, "--json", "--context", '{"orders": []}')
    answer = json.loads(ran.out.splitlines()[-1])
    assert answer["result"]["path"] == str(crate), ran.err
    assert answer["result"]["tasks"]


def test_a_tampered_manifest_is_found_out_by_the_library(cli, crate, tmp_path):
    """The manifest cannot lie: validate reads the tasks from the library again."""
    from cloacina_ctl.formats.file_index import Tool
    from cloacina_ctl.formats.native.signature_block import SignatureBlock
    from cloacina_ctl.formats.native.writer import PackageWriter
    from cloacina_ctl.formats.plan import PlannedFile, make_plan
    from cloacina_ctl.manifest import parse
    from cloacina_ctl.paths import MemberPath

    cli("package", crate, "-o", "x.cloacina", "--locked", "--no-sign")
    cli("unpack", "x.cloacina", "-o", "there", "--allow-unsigned", "--metadata")
    manifest = parse((tmp_path / "there" / "manifest.json").read_bytes())
    (workflow,) = manifest.workflows
    free = tuple(task._replace(dependencies=()) for task in workflow.tasks)
    lie = manifest._replace(workflows=(workflow._replace(tasks=free),))
    (artifact,) = manifest.artifacts
    library = tmp_path / "there" / artifact.path
    planned = PlannedFile(
        MemberPath.parse(artifact.path), str(library), library.stat().st_size, False, "a test"
    )
    with PackageWriter(str(tmp_path / "lie.cloacina")) as writer:
        written = writer.write_payload(make_plan("orders-etl-0.2.0", [planned]))
        writer.write_head(lie._replace(contents=written.contents), written, Tool("tests", "1"))
        writer.commit(SignatureBlock())
    found = cli("validate", "lie.cloacina", "--json")
    assert found.status == 1
    assert "R011" in {one["code"] for one in found.json["diagnostics"]}


def test_the_crate_of_the_first_generation_is_packed_too(cli):
    need("cargo")
    made = cli("package", FIXTURES / "rust_tutorial", "-o", "x.cloacina", "--locked", "--no-sign")
    assert made.status == 0, made.err
    manifest = cli("inspect", "x.cloacina", "--json").json["result"]["manifest"]
    assert manifest["artifacts"][0]["interface"]["kind"] == "c-abi-0.3"
    assert len(manifest["workflows"][0]["tasks"]) == 3
    assert cli("validate", "x.cloacina").status == 0


def test_a_crate_without_the_macro_is_refused_with_the_cure(cli, crate, tmp_path):
    copy = shutil.copytree(crate, tmp_path / "crate", ignore=shutil.ignore_patterns("target"))
    lib = copy / "src" / "lib.rs"
    lib.write_text(
        "".join(
            line for line in lib.read_text().splitlines(keepends=True) if "package!()" not in line
        )
    )
    refused = cli("package", copy, "-o", "x.cloacina", "--offline")
    assert refused.status == 3
    assert "R006" in refused.err
    assert json.loads(cli("validate", copy, "--json").out)["ok"] is False


def test_a_folder_that_the_builders_linker_named_is_not_searched_by_others(cli, crate, tmp_path):
    path = "-Clink-arg=-Wl,-rpath,/opt/vendor/lib:$ORIGIN/beside"
    made = cli(
        "package", crate, "-o", "x.cloacina", "--locked", "--no-sign", "--json", "--", "--", path
    )
    assert made.status == 0, made.err
    (note,) = [one for one in made.json["diagnostics"] if one["code"] == "B018"]
    assert (note["severity"], note["where"]) == ("note", "liborders_etl.so")
    assert note["message"].endswith("searches for other libraries: /opt/vendor/lib")
    found = cli("validate", "x.cloacina", "--json").json["diagnostics"]
    assert {one["code"] for one in found} == {"S001"}

    assert cli("unpack", "x.cloacina", "-o", "there", "--allow-unsigned").status == 0
    (library,) = (tmp_path / "there").rglob("liborders_etl.so")
    built = next((crate / "target" / "cloacina-ctl").rglob("release/liborders_etl.so"))
    old, new = built.read_bytes(), library.read_bytes()
    before, after = b"\0/opt/vendor/lib:$ORIGIN/beside\0", b"\0$ORIGIN/beside" + bytes(17)
    assert old.count(before) == 1
    assert new == old.replace(before, after)
