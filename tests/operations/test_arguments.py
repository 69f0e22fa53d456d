"""`run` and `inspect` take a project's folder, an installed name, a file, several of them."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from cloacina_ctl.errors import Code, NotTrusted, Refused, UsageError
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.install import InstallRequest, install
from cloacina_ctl.operations.installation.choose import find_package
from cloacina_ctl.operations.package import PackageRequest, package, prepare
from cloacina_ctl.operations.run import RunRequest, plan_run, run
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.projects import FIXTURES

CRATE = FIXTURES / "rust_etl"
ALLOWED = VerificationPolicy(allow_unsigned=True)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The test's folder as the current one, with a registry of its own."""
    monkeypatch.setenv("CLOACINA_CTL_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def say(here, cli):
    """Run a command line there."""
    return cli


@pytest.fixture
def installed(here, project):
    """A folder `daily-report`, and a package of that name that is installed."""
    package(PackageRequest(str(project), "x.cloacina"))
    install(InstallRequest("x.cloacina", ALLOWED))
    shutil.copytree(project, here / "daily-report")
    return here / "daily-report"


def test_a_project_runs_unsigned_and_leaves_nothing(here, project):
    before = sorted(os.listdir(project))
    ran = run(RunRequest("project", context={"text": "17, AT, 1250"}))
    assert (ran.path, ran.outcome.status, ran.trusted_signers) == ("project", "completed", ())
    assert ran.outcome.context["sums"] == {"AT": 1740}
    assert sorted(os.listdir(project)) == before
    assert sorted(os.listdir(here)) == ["project"]


def test_what_is_wrong_with_a_project_is_said_of_the_folder(project, here):
    (project / "src" / "daily_report" / "tasks.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(Refused) as caught:
        run(RunRequest("project"))
    assert all("/tmp" not in str(one) for one in caught.value.diagnostics)
    source = project / "src" / "daily_report" / "tasks.py"
    source.write_text(
        "import cloaca\nimport nothing_of_that_name\n\n@cloaca.task(id='a')\ndef a(context): ...\n"
    )
    with pytest.raises(Exception, match="nothing_of_that_name") as failed:
        run(RunRequest("project"))
    assert [one.where for one in failed.value.diagnostics] == ["project"]


def test_a_pin_holds_for_a_project_too_and_a_signature_cannot(here, project):
    with pytest.raises(NotTrusted) as caught:
        run(RunRequest("project"), VerificationPolicy(version="9.9.9"))
    assert caught.value.diagnostics[0].code is Code.PIN_MISMATCH
    for rule in (VerificationPolicy(keys=("x.pub",)), VerificationPolicy(threshold=2)):
        with pytest.raises(UsageError, match="has no signatures"):
            find_package("./project", rule)


def test_a_crate_is_looked_at_without_a_build(here, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")  # so cargo could not be started
    shutil.copytree(CRATE, here / "etl", ignore=shutil.ignore_patterns("target"))
    prepared = prepare(PackageRequest("etl"))
    assert (prepared.unbuilt, prepared.plan.files) == (("the library",), ())
    with_source = prepare(PackageRequest("etl", include_source=True))
    assert "source/src/lib.rs" in {str(file.path) for file in with_source.plan.files}
    shown = inspect("etl")
    assert (shown.format, shown.size, shown.content) == ("project", None, None)
    ids = {task.id: task.attempts for one in shown.manifest.workflows for task in one.tasks}
    assert ids == {"load_orders": 5, "check_orders": 1, "total_orders": 3, "report": 3}
    plan = plan_run("etl", VerificationPolicy())
    assert {task.id for layer in plan.layers for task in layer} == ids.keys()
    assert not (here / "etl" / "target").exists()


def test_a_project_shows_what_its_package_shows(here, project):
    package(PackageRequest("project", "x.cloacina"))
    made, planned = inspect("x.cloacina"), inspect("project")
    assert planned.manifest.package == made.manifest.package
    assert planned.manifest.workflows == made.manifest.workflows
    assert [(str(one.path), one.size) for one in planned.files] == [
        (str(one.path), one.size) for one in made.files
    ]
    assert planned.manifest.contents.size == made.manifest.contents.size


def test_an_installed_name_goes_before_a_folder_and_that_is_said(installed, say):
    chosen = find_package("daily-report", ALLOWED)
    assert not chosen.is_project
    assert chosen.path.startswith(str(installed.parent / "registry"))
    assert find_package("./daily-report", ALLOWED).path == "./daily-report"
    assert find_package("daily-report@1.4.0", ALLOWED).path == chosen.path
    for words in (("inspect",), ("run", "--plan")):
        status, out, err = say(*words, "daily-report")
        assert status == 0
        assert err.startswith("using the installed package daily-report 1.4.0; the project folder")
        assert "write_report" in out


def test_a_folder_is_taken_where_nothing_of_its_name_is_installed(say, project):
    status, _, err = say("inspect", "project")
    assert (status, err) == (
        0, "project is not installed: using the project folder ./project\n",
    )  # fmt: skip
    assert say("inspect", "./project")[::2] == (0, "")
    status, _, err = say("run", "nothing")
    assert status == 8
    assert "no file and no project of that name here either" in err


def test_a_folder_without_a_project_is_told_what_it_lacks(say, here, project):
    (here / "old").mkdir()
    (here / "old" / "setup.py").write_text("setup()")
    status, _, err = say("inspect", "old")
    assert status == 8
    assert "the folder ./old is no project: neither Cargo.toml, pyproject.toml with" in err
    status, _, err = say("package", "project", "-o", "old")
    assert status == 8
    assert "old: it is a folder" in err


def test_several_are_shown_in_the_order_given_and_the_worst_decides(say, here, project):
    package(PackageRequest("project", "x.cloacina"))
    (here / "junk.cloacina").write_text("no package")
    status, out, _ = say("inspect", "x.cloacina", "junk.cloacina", "./project", "--json")
    answer = json.loads(out)
    assert (status, answer["ok"]) == (3, False)
    assert [one["format"] for one in answer["result"]] == ["native", "project"]
    assert [one["code"] for one in answer["diagnostics"]] == ["A001"]
    status, out, err = say("inspect", "./project", "x.cloacina")
    assert (status, err) == (0, "")
    assert out.index("./project:") < out.index("x.cloacina:") < out.index("not signed")


def test_verify_keeps_the_order_and_sums_up(say, here, project):
    package(PackageRequest("project", "x.cloacina"))
    (here / "junk.cloacina").write_text("no package")
    status, out, err = say("verify", "junk.cloacina", "x.cloacina", "--allow-unsigned")
    assert (status, out.splitlines()[-1]) == (3, "1 of 2 verified, 1 refused")
    assert err.startswith("error[A001] junk.cloacina: ")
    status, out, _ = say("verify", "x.cloacina", "x.cloacina", "--allow-unsigned")
    assert (status, out.splitlines()[-1]) == (0, "2 of 2 verified")


def test_files_follow_the_page_with_their_sum(say, here, project):
    package(PackageRequest("project", "x.cloacina"))
    _, out, _ = say("inspect", "x.cloacina", "-l")
    assert "not signed" in out
    assert "rw-r--r--" in out
    assert out.splitlines()[-1].startswith("  8 files, 3.3 KiB")
    assert "rw-r--r--" not in say("inspect", "x.cloacina", "--files")[1]


DYNAMIC = """[project]
name = "flow"
dynamic = ["version"]
requires-python = ">=3.10"
"""


@pytest.fixture
def dynamic(here):
    """A project in `flow` whose version only a build knows."""
    (here / "flow" / "src" / "flow").mkdir(parents=True)
    (here / "flow" / "pyproject.toml").write_text(DYNAMIC)
    task = (
        "import cloaca\nimport nowhere_at_all\n\n\n@cloaca.task(id='one')\ndef one(context): ...\n"
    )
    (here / "flow" / "src" / "flow" / "__init__.py").write_text(task)
    return here / "flow"


def test_a_version_that_only_a_build_knows_keeps_nothing_else_from_being_judged(dynamic):
    report = validate("flow").report
    assert [str(one.code) for one in report.findings] == ["Y009", "Y037"]
    assert report.skipped == ()


def test_a_project_runs_though_only_a_build_knows_its_version(dynamic):
    module = dynamic / "src" / "flow" / "__init__.py"
    module.write_text(module.read_text().replace("import nowhere_at_all\n", ""))
    with pytest.raises(Refused) as caught:
        package(PackageRequest("flow"))
    assert caught.value.diagnostics[0].code is Code.DYNAMIC_METADATA
    assert run(RunRequest("flow"), ALLOWED).outcome.status == "completed"


def test_the_heads_of_several_packages_show_no_secret(say):
    _, out, _ = say(
        "inspect",
        "https://127.0.0.1:9/x.cloacina?token=abc",
        "DW/fXemDK+Gld1dFQUtjib3/T60ZkxuxVQfHlXFbU1k=",
    )
    assert out.split() == ["https://127.0.0.1:9/x.cloacina:", "[not", "shown]:"]
