"""The main job: a project becomes a package that is inspected, validated, verified, unpacked."""

import os
import shutil
import subprocess
import sys

import pytest

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.formats.file_index import Tool
from cloacina_ctl.formats.native.writer import PackageWriter
from cloacina_ctl.formats.plan import PlannedFile, make_plan
from cloacina_ctl.manifest import parse
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.unpack import unpack
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.projects import FIXTURES


def files_under(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_whole_story_of_a_python_project(cli, project, tmp_path):
    made = cli("key", "generate")
    assert made.status == 0
    fingerprint = made.out.split("fingerprint ")[1].split()[0]
    assert cli("package", project, "-o", "x.cloacina").status == 0

    shown = cli("inspect", "x.cloacina", "--json").json
    assert shown["schema"] == "cloacina-ctl/inspect/1"
    assert shown["ok"] is True
    manifest = shown["result"]["manifest"]
    assert manifest["package"]["name"] == "daily-report"
    assert shown["result"]["signatures"][0]["status"] == "trusted"
    assert shown["result"]["signatures"][0]["keyid"] == fingerprint

    assert cli("validate", "x.cloacina").status == 0
    assert cli("verify", "x.cloacina").status == 0
    assert cli("unpack", "x.cloacina", "-o", "there").status == 0
    unpacked = files_under(tmp_path / "there")
    source = files_under(project / "src")
    for name, data in unpacked.items():
        if name.startswith("workflow/"):
            assert source[name.removeprefix("workflow/")] == data
    assert {name.partition("/")[0] for name in unpacked} == {"package.toml", "workflow"}
    assert not any("draft" in name for name in unpacked)


def test_the_folder_that_unpack_makes_is_a_project_again(signed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = unpack(str(signed)).destination
    assert there == "daily-report-1.4.0"
    assert validate(there).report.findings == ()
    package(PackageRequest(there, "again.cloacina"))
    unpack("again.cloacina", "again", VerificationPolicy(allow_unsigned=True))
    assert files_under(tmp_path / "again") == files_under(tmp_path / there)
    with pytest.raises(FileProblem) as caught:
        unpack(str(signed))
    assert caught.value.diagnostics[0].code is Code.NOT_EMPTY


def test_metadata_lies_in_the_folder_where_it_is_asked_for(cli, signed, tmp_path):
    assert cli("unpack", signed, "-o", "there", "--metadata").status == 0
    there = files_under(tmp_path / "there")
    assert {"manifest.json", "files.json", "index.json"} <= there.keys()
    assert parse(there["manifest.json"]).package.name == "daily-report"


def test_the_tree_that_other_runtimes_load_is_packed_too(cli):
    assert cli("package", FIXTURES / "python_tree", "--no-sign", "-o", "x.cloacina").status == 0
    assert cli("validate", "x.cloacina").status == 0


def test_a_project_is_judged_before_it_is_packed(cli):
    found = cli("validate", FIXTURES / "broken_python", "--json")
    assert found.status == 1
    assert len({one["code"] for one in found.json["diagnostics"]}) >= 4
    refused = cli("package", FIXTURES / "broken_python", "-o", "x.cloacina")
    assert refused.status == 3


def test_what_package_writes_validate_accepts_and_verify_proves(cli, signed):
    assert cli("validate", signed).status == 0
    assert cli("verify", signed, "--json").json["result"]["complete"] is True


def test_two_builds_in_different_places_give_the_same_bytes(cli, project, tmp_path):
    other = tmp_path / "élsewhere with spaces 🐚" / "deep"
    shutil.copytree(project, other)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    one = cli("package", project, "--no-sign", "-o", tmp_path / "one.cloacina", TZ="UTC", LANG="C")
    code = (
        "import os,sys; os.umask(0o077); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    two = subprocess.run(
        [sys.executable, "-c", code, "-m", "cloacina_ctl", "package", str(other), "--no-sign",
         "-o", str(tmp_path / "two.cloacina"), "--jobs", "1"],
        env={**os.environ, "TZ": "Asia/Tokyo", "LANG": "C.UTF-8"}, check=False, capture_output=True,
    )  # fmt: skip
    assert one.status == two.returncode == 0
    assert (tmp_path / "one.cloacina").read_bytes() == (tmp_path / "two.cloacina").read_bytes()


def test_a_file_system_without_modes_gives_the_same_package(cli, project, tmp_path):
    """Such a one shows every file with all permissions (WSL, vfat, SMB)."""
    assert cli("package", project, "--no-sign", "-o", "a.cloacina").status == 0
    for path in project.rglob("*"):
        path.chmod(0o777)
    made = cli("package", project, "--no-sign", "-o", "b.cloacina", "--json")
    assert (tmp_path / "a.cloacina").read_bytes() == (tmp_path / "b.cloacina").read_bytes()
    assert "P026" in {one["code"] for one in made.json["diagnostics"]}
    assert "P026" in cli("validate", project, "-v").out


def test_the_plan_is_what_gets_packed(cli, project):
    plan = cli("package", project, "--list", "--json").json["result"]
    cli("package", project, "--no-sign", "-o", "x.cloacina")
    listed = cli("inspect", "x.cloacina", "--files", "--json").json["result"]["files"]
    assert [file["path"] for file in plan["files"]] == [file["path"] for file in listed]
    assert all(file["reason"] for file in plan["files"])


def test_the_default_name_is_that_of_the_package(cli, project, tmp_path):
    assert cli("package", project, "--no-sign").status == 0
    assert (tmp_path / "daily-report-1.4.0.cloacina").is_file()


def test_a_package_never_packs_itself(cli, project):
    output = project / "src" / "daily_report" / "data.bin"
    assert cli("package", project, "--no-sign", "-o", output).status == 0
    assert cli("package", project, "--no-sign", "-o", output, "--force").status == 0
    listed = cli("inspect", output, "--files").out
    assert "data.bin" not in listed


def test_an_existing_output_is_replaced_only_when_that_is_said(cli, project, tmp_path):
    (tmp_path / "x.cloacina").write_text("mine")
    assert cli("package", project, "--no-sign", "-o", "x.cloacina").status == 8
    assert (tmp_path / "x.cloacina").read_text() == "mine"
    assert cli("package", project, "--no-sign", "-o", "x.cloacina", "--force").status == 0


def test_nobody_signs_and_that_is_said_with_the_cure(cli, project):
    made = cli("package", project, "-o", "x.cloacina")
    assert made.status == 0
    assert "not signed" in made.err
    assert "key generate" in made.err
    required = cli("package", project, "-o", "y.cloacina", "--require-signature")
    assert required.status == 4
    assert not os.path.exists("y.cloacina")


@pytest.mark.parametrize("name", ["sign", "signing_key", "trust"])
def test_a_project_never_chooses_a_key(cli, project, name):
    with (project / "pyproject.toml").open("a") as file:
        file.write(f"\n[tool.cloacina.{name}]\nx = 1\n")
    refused = cli("package", project, "-o", "x.cloacina")
    assert refused.status == 3
    assert "cannot choose a signing key" in refused.err


def test_the_schema_is_printed(cli):
    shown = cli("schema")
    assert shown.status == 0
    assert shown.json["$schema"].endswith("2020-12/schema")


def test_a_manifest_that_lies_about_the_packed_tasks_is_found_out(cli, signed, tmp_path):
    """The manifest cannot lie: validate reads the tasks from the packed modules again."""
    cli("unpack", signed, "-o", "there", "--metadata")
    folder = tmp_path / "there"
    manifest = parse((folder / "manifest.json").read_bytes())
    (workflow,) = manifest.workflows
    free = tuple(task._replace(dependencies=()) for task in workflow.tasks)
    lie = manifest._replace(workflows=(workflow._replace(tasks=free),))
    planned = [
        PlannedFile(MemberPath.parse(str(path.relative_to(folder))), str(path),
                    path.stat().st_size, False, "a test")
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", "files.json", "index.json")
    ]  # fmt: skip
    with PackageWriter(str(tmp_path / "lie.cloacina")) as writer:
        written = writer.write_payload(make_plan("daily-report-1.4.0", planned))
        writer.write_head(lie._replace(contents=written.contents), written, Tool("tests", "1"))
        writer.commit()
    found = cli("validate", "lie.cloacina", "--json")
    assert found.status == 1
    assert "Y014" in {one["code"] for one in found.json["diagnostics"]}


def test_a_source_that_is_rewritten_before_it_is_packed_is_refused(project, tmp_path, monkeypatch):
    """The same size, and after it was parsed: only its digest tells."""
    source = project / "src" / "daily_report" / "tasks.py"
    text = source.read_text()

    class Rewriting(PackageWriter):
        def __enter__(self):
            source.write_text(text.replace("read_orders", "read_0rders"))
            return super().__enter__()

    monkeypatch.setattr("cloacina_ctl.operations.package.PackageWriter", Rewriting)
    with pytest.raises(FileProblem) as caught:
        package(PackageRequest(str(project), str(tmp_path / "x.cloacina")))
    assert caught.value.diagnostics[0].code is Code.CHANGED
    assert not (tmp_path / "x.cloacina").exists()
