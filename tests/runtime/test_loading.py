"""From a package's file to a loaded package: verified first, and compared with its manifest."""

import json
import os
from pathlib import Path

import pytest

from cloacina_ctl.errors import Code, Incompatible, NotTrusted, Refused, Severity
from cloacina_ctl.manifest.model import (
    Artifact,
    Interface,
    Libc,
    Param,
    Retry,
    Task,
    Trigger,
    Workflow,
)
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.platforms import HostPlatform
from cloacina_ctl.runtime import HostLimits, open_package
from cloacina_ctl.runtime.consistency import disagreements
from cloacina_ctl.runtime.loading import choose_artifact
from cloacina_ctl.runtime.metadata import (
    DescribedInterface,
    DescribedTask,
    DescribedTrigger,
    PackageMetadata,
    override_from_code,
    params_of,
    workflow_of,
)
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support import archives
from tests.support.plugin_packages import AFTER, ECHO, FLOW, SLEEP, TASKS, pack
from tests.support.plugins import plugin, raw
from tests.support.projects import FIXTURES
from tests.support.trees import TASK, plant

UNSIGNED = VerificationPolicy(allow_unsigned=True)


@pytest.fixture(autouse=True)
def user(tmp_path_factory, monkeypatch):
    """A folder of this test's own for temporary files."""
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.cloacina"


def test_a_native_library_is_loaded_and_its_tasks_run(path, user):
    pack(path, plugin(500))
    with open_package(str(path), UNSIGNED) as loaded:
        assert (loaded.name, loaded.version) == ("pack", "1.0.0")
        assert loaded.content.startswith("sha256:")
        assert loaded.workflows[0].name == "flow"
        assert loaded.warnings == ()
        assert loaded.trusted_signers == ()
        path.unlink()
        assert loaded.session.run_task("echo", {"a": 1}, timeout=20).context == {"a": 1}
    assert os.listdir(user) == []


def test_nothing_is_loaded_that_nobody_vouches_for(path, user):
    pack(path, plugin(500, BROKEN="WILD_NAME"))
    with pytest.raises(NotTrusted), open_package(str(path)):
        pass
    assert os.listdir(user) == []


def test_nothing_is_loaded_of_which_one_byte_is_wrong(path, user):
    data = bytearray(pack(path, plugin(500)).read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refused), open_package(str(path), UNSIGNED):
        pass
    assert os.listdir(user) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w._replace(name="other"), "the workflow is `flow`"),
        (lambda w: w._replace(tasks=TASKS[:2]), "a task that the manifest does not have: sleep"),
        (lambda w: w._replace(tasks=(*TASKS, Task(id="zoo"))), "does not have: zoo"),
        (
            lambda w: w._replace(tasks=(AFTER._replace(dependencies=()), ECHO, SLEEP)),
            "the task `after` waits for echo",
        ),
        (lambda w: w._replace(fingerprint="beef"), "the fingerprint is 00ff"),
    ],
)
def test_a_manifest_that_lies_about_tasks_is_refused(path, change, words):
    pack(path, plugin(500), workflows=(change(FLOW),))
    with pytest.raises(Refused) as refused, open_package(str(path), UNSIGNED):
        pass
    found = refused.value.diagnostics
    assert {one.code for one in found} == {Code.CODE_DISAGREES}
    assert words in found[0].message


def test_a_second_workflow_that_no_code_stands_for_is_refused(path):
    """Its tasks are those of the code, but not what they wait for."""
    other = Workflow(name="other", tasks=(AFTER._replace(dependencies=()), ECHO))
    pack(path, plugin(500), workflows=(FLOW, other))
    with pytest.raises(Refused) as refused, open_package(str(path), UNSIGNED):
        pytest.fail("it was loaded")
    (found,) = refused.value.diagnostics
    assert found.code is Code.CODE_DISAGREES
    assert found.message == "the manifest has a workflow that the code does not have: other"


def test_a_manifest_that_lies_about_the_interface_is_refused(path):
    def change(artifact):
        interface = artifact.interface._replace(version=9, hash="0" * 16)
        return artifact._replace(interface=interface)

    pack(path, plugin(500), change=change)
    with pytest.raises(Refused) as refused, open_package(str(path), UNSIGNED):
        pass
    assert [one.message.split(",")[0] for one in refused.value.diagnostics] == [
        "the version of its interface is 4",
        "the hash of its interface is 5294867f0800277b",
    ]


def test_a_library_for_another_platform_is_not_even_read(path):
    pack(path, plugin(500), tag="manylinux_2_99_x86_64")
    with pytest.raises(Incompatible) as refused, open_package(str(path), UNSIGNED):
        pass
    (found,) = refused.value.diagnostics
    assert found.code is Code.NOT_FOR_RUNTIME
    assert "manylinux_2_99_x86_64" in found.message


@pytest.mark.parametrize("form", ["native", "source"])
def test_python_packages_of_both_kinds_run(path, form, user):
    target = choose_target(form, None) if form != "native" else None
    request = PackageRequest(str(FIXTURES / "python_report"), str(path))
    package(request if target is None else request._replace(target=target))
    with open_package(str(path), UNSIGNED) as loaded:
        assert loaded.warnings == ()
        tasks = [task.id for task in loaded.session.describe().tasks]
        assert sorted(tasks) == [task.id for task in loaded.workflows[0].tasks]
        outcome = loaded.session.run_task(tasks[0], {}, timeout=20)
        assert not outcome.crashed
    assert os.listdir(user) == []


def test_sources_that_must_be_compiled_say_so(path):
    target = choose_target("source", None)
    package(PackageRequest(str(FIXTURES / "rust_etl"), str(path), target=target))
    with pytest.raises(Incompatible) as refused, open_package(str(path), UNSIGNED):
        pass
    assert refused.value.diagnostics[0].code is Code.NEEDS_BUILD


def test_a_foreign_package_that_nobody_vouches_for_is_not_loaded(path):
    target = choose_target("source", None)
    package(PackageRequest(str(FIXTURES / "python_report"), str(path), target=target))
    with pytest.raises(NotTrusted), open_package(str(path)):
        pass
    rule = UNSIGNED._replace(content="sha256:" + "0" * 64)
    with pytest.raises(NotTrusted), open_package(str(path), rule):
        pass


def described(**changes):
    tasks = (DescribedTask(id="a"), DescribedTask(id="b", dependencies=("a",)))
    interface = DescribedInterface(kind="fidius", abi=500, methods=("execute_task",))
    return PackageMetadata(interface=interface, workflow="flow", tasks=tasks)._replace(**changes)


def test_what_the_manifest_does_not_say_is_not_compared():
    assert disagreements(None, None, described(), "x") == ()
    assert disagreements(None, Interface(kind="fidius"), described(), "x") == ()
    methods = Interface(kind="fidius", methods=("get_task_metadata",))
    (found,) = disagreements(None, methods, described(), "x")
    assert found.message == (
        "its methods are execute_task, and the manifest says get_task_metadata"
    )
    assert found.severity is Severity.ERROR


def test_what_a_constructor_makes_may_be_a_task_in_the_manifest():
    code = described()
    after = code.tasks[1]._replace(dependencies=("a", "greet"))
    code = code._replace(
        tasks=(code.tasks[0], after), constructors=(DescribedTask("greet", ("a",)),)
    )
    own = (Task("a"), Task("b", ("a",)))
    with_it = (Task("a"), Task("b", ("a", "greet")), Task("greet", ("a",)))
    for tasks in (own, with_it):
        assert disagreements(Workflow("flow", tasks), None, code, "x") == ()


def test_a_workflow_of_the_code_s_own_words():
    workflow = workflow_of(described())
    assert [task.id for task in workflow.tasks] == ["a", "b"]
    assert workflow_of(described(tasks=())) is None
    assert workflow_of(described(workflow=None)) is None


RULE = '{"type": "TaskFailed", "task_name": "public::p::flow::a"}'
ALWAYS = '{"type": "Always"}'


@pytest.mark.parametrize(
    ("claimed", "true", "agree"),
    [
        ('task_failed("a")', RULE, True), (RULE, RULE, True), (None, ALWAYS, True),
        (None, None, True), ("always", ALWAYS, True), ("RULE", RULE, True),
        ('task_success("a")', RULE, False), (None, RULE, True), (RULE, None, True),
        ('task_failed("a")', ALWAYS, False),
    ],
)  # fmt: skip
def test_trigger_rules_are_compared_by_what_they_mean(claimed, true, agree):
    code = described()
    told = code.tasks[1]._replace(trigger_rules=true)
    code = code._replace(tasks=(code.tasks[0], told))
    tasks = (Task(id="a"), Task(id="b", dependencies=("a",), trigger_rules=claimed))
    found = disagreements(Workflow("flow", tasks), None, code, "x")
    assert [one.message[:34] for one in found] == (
        [] if agree else ["the trigger rule of the task `b` is"[:34]]
    )


def test_a_manifest_made_of_the_loaded_code_says_always_by_saying_nothing():
    code = described()
    code = code._replace(tasks=(code.tasks[0], code.tasks[1]._replace(trigger_rules=RULE)))
    flow = Workflow("flow", (Task("a"), Task("b", ("a",))))
    assert disagreements(flow, None, code, "x") == ()
    (found,) = disagreements(flow, None, code, "x", complete=True)
    assert found.message.endswith("and the manifest says none")


TRIGGERS = (
    DescribedTrigger("inbox", poll_interval="5000ms"),
    DescribedTrigger("eager", poll_interval="1000ms", allow_concurrent=True),
    DescribedTrigger("nightly", poll_interval="30000ms", cron="0 3 * * *"),
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Trigger("inbox", "poll", 5000), None),
        (Trigger("inbox", "poll", None, allow_concurrent=True), None),
        (Trigger("eager", "poll", 1000, allow_concurrent=True), None),
        (Trigger("nightly", "cron", cron="0 3 * * *", timezone="Europe/Vienna"), None),
        (Trigger("elsewhere", "poll", 1), None),
        (
            Trigger("inbox", "poll", 90),
            "the trigger `inbox` is polled every 5000 ms, and the manifest says polled every 90 ms",
        ),
        (
            Trigger("nightly", "poll", 60_000),
            "the trigger `nightly` is `0 3 * * *`, and the manifest says polled every 60000 ms",
        ),
        (
            Trigger("eager", "poll", 1000),
            "the trigger `eager` is polled every 1000 ms, also while a run lasts, and {} 1000 ms",
        ),
    ],
)
def test_triggers_are_compared_where_both_sides_know_them(said, words):
    flow = Workflow("flow", (Task("a"), Task("b", ("a",))), triggers=(said,))
    found = disagreements(flow, None, described(triggers=TRIGGERS), "x")
    words = words and words.replace("{}", "the manifest says polled every")
    assert [one.message for one in found] == ([] if words is None else [words])


def slots(*told):
    return (
        (("slots_json", "[]"), ("surface_kind", "graph"), ("surface_name", "g")),
        (("slots_json", json.dumps(told)), ("surface_kind", "workflow"), ("surface_name", "flow")),
    )


DAY = {"name": "day", "schema": {"type": "string"}, "required": True}
LIMIT = {"name": "limit", "schema": {"type": "integer"}, "required": False, "default": 7}
SECRET = {"name": "db", "schema": {}, "required": True, "encrypted": True}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((), None),
        ((Param("day", "String"), Param("limit", "u32", "7")), None),
        ((Param("day", "String"),), "its parameters are day, limit, and the manifest says day"),
        (
            (Param("day", "String"), Param("limit", "u32")),
            "the parameter `limit` is optional, and the manifest says that it is required",
        ),
    ],
)
def test_parameters_are_compared_by_name_and_whether_they_are_required(said, words):
    flow = Workflow("flow", (Task("a"), Task("b", ("a",))), params=said)
    code = described(inputs=slots(DAY, LIMIT, SECRET))
    found = disagreements(flow, None, code, "x")
    assert [one.message for one in found] == ([] if words is None else [words])
    assert disagreements(flow, None, described(), "x") == ()


@pytest.mark.parametrize("text", ["", "[", "7", '[7, {"name": 7}, {"schema": 7, "name": "a"}]'])
def test_parameters_told_in_another_shape_are_no_reason_to_fail(text):
    told = ((("slots_json", text), ("surface_kind", "workflow"), ("surface_name", "flow")),)
    assert {param.name for param in params_of(described(inputs=told))} <= {"a"}


def test_the_code_s_workflow_has_its_own_triggers_and_parameters():
    other = DescribedTrigger("other", workflow="another", poll_interval="1s")
    own = DescribedTrigger("own", workflow="flow", cron="* * * * *")
    code = described(
        triggers=(*TRIGGERS, other, own), workflow_triggers=("inbox",), inputs=slots(DAY, LIMIT)
    )
    flow = workflow_of(code)
    assert flow.triggers == (
        Trigger("inbox", "poll", 5000),
        Trigger("own", "cron", cron="* * * * *"),
    )
    assert flow.params == (Param("day", "string"), Param("limit", "integer", "7"))


def test_retry_settings_are_compared_where_both_say_them():
    code = described()
    told = (code.tasks[0]._replace(retry=Retry(attempts=2)), code.tasks[1])
    code = code._replace(tasks=told)
    same = (Task("a", retry=Retry(attempts=2)), Task("b", ("a",), retry=Retry(attempts=9)))
    assert disagreements(Workflow("flow", same), None, code, "x") == ()
    assert disagreements(Workflow("flow", (Task("a"), same[1])), None, code, "x") == ()
    other = (Task("a", retry=Retry(attempts=3)), same[1])
    (found,) = disagreements(Workflow("flow", other), None, code, "x")
    assert found.message == "the retry settings of the task `a` are not those of the manifest"


def test_the_code_s_own_words_on_retries_and_rules_go_before_the_manifest_s():
    code = described()
    told = (
        code.tasks[0]._replace(retry=Retry(attempts=2)),
        code.tasks[1]._replace(trigger_rules=RULE),
    )
    tasks = (Task("a"), Task("b", ("a",), retry=Retry(attempts=5), trigger_rules="COMPUTED"))
    flow = Workflow("flow", tasks)
    a, b = override_from_code(flow, code._replace(tasks=told)).tasks
    assert (a.retry, b.retry, b.trigger_rules) == (Retry(attempts=2), Retry(attempts=5), RULE)
    other = Workflow("other", (Task("z"),))
    assert override_from_code(other, code) is other


def test_a_package_outlives_the_file_that_it_was_read_from(path):
    """The bytes verified are the bytes used, whatever is written to the file meanwhile."""
    pack(path, plugin(500))
    with open_package(str(path), UNSIGNED) as loaded:
        Path(path).write_bytes(b"something else")
        loaded.session.run_task("after", {"do": "crash"}, timeout=20)
        assert loaded.session.run_task("echo", {}, timeout=20).succeeded


def test_the_example_of_the_page_runs(path, tmp_path, monkeypatch, capsys):
    page = (FIXTURES.parent / "docs" / "runtime.md").read_text()
    example = page.split("```python\n")[1].split("```")[0]
    assert len(example.splitlines()) <= 20
    for theirs, ours in (
        ('keys=("release.pub",)', "allow_unsigned=True"), ('"extract"', '"echo"'),
    ):  # fmt: skip
        assert theirs in example
        example = example.replace(theirs, ours)
    pack(path, plugin(500))
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/runtime.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[:3] == [
        "fidius ['echo', 'sleep', 'after']",
        "completed {'day': '2026-11-20'} None",
        "completed {'day': '2026-11-20'}",
    ]


def test_the_limits_of_the_page_are_the_real_ones():
    page = (FIXTURES.parent / "docs" / "runtime.md").read_text()
    named = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert set(HostLimits._fields) <= named


def v1_task(number, id_, needs=()):
    return {
        "index": number, "id": id_, "dependencies": list(needs), "description": "a task",
        "source_location": "src/flow.rs",
    }  # fmt: skip


@pytest.mark.parametrize("release", [2, 3])
def test_a_package_of_the_first_releases_runs(path, release, user):
    made = archives.v1_manifest(tasks=[v1_task(0, "collect"), v1_task(1, "report", ["collect"])])
    made["execution_order"] = ["collect", "report"]
    if release == 3:
        del made["execution_order"]
    path.write_bytes(archives.gz(archives.v1_tar(made, raw(release).read_bytes())))
    with open_package(str(path), UNSIGNED) as loaded:
        assert loaded.session.describe().interface.kind == f"c-abi-0.{release}"
        assert [task.id for task in loaded.workflows[0].tasks] == ["collect", "report"]
        outcome = loaded.session.run_task("report", {"a": 1}, timeout=20)
        assert outcome.context == {"a": 1}
    assert os.listdir(user) == []


@pytest.mark.parametrize("release", [2, 3])
def test_a_workflow_that_nobody_names_has_the_name_of_its_package(path, release):
    path.write_bytes(archives.gz(archives.v1_tar(None, raw(release).read_bytes())))
    with open_package(str(path), UNSIGNED) as loaded:
        (workflow,) = loaded.workflows
        assert workflow.name == (loaded.session.describe().workflow or loaded.name)
        assert [task.id for task in workflow.tasks] == ["collect", "report"]
        assert not any("``" in one.message for one in loaded.warnings)


def test_the_code_is_right_where_an_older_manifest_says_otherwise(path):
    made = archives.v1_manifest(tasks=[v1_task(0, "collect")])
    del made["execution_order"]
    path.write_bytes(archives.gz(archives.v1_tar(made, raw(3).read_bytes())))
    with open_package(str(path), UNSIGNED) as loaded:
        assert {one.code for one in loaded.warnings} == {Code.CODE_DISAGREES}
        assert {one.severity for one in loaded.warnings} == {Severity.WARNING}
        assert [task.id for task in loaded.workflows[0].tasks] == ["collect", "report"]


def test_a_python_package_whose_sources_say_nothing_is_taken_at_its_code_s_word(path):
    files = dict(archives.SOURCE)
    files["workflow/demo/tasks.py"] = (
        b"import cloaca\nfor name in ('a', 'b'):\n    cloaca.task(id=name)(lambda context: None)\n"
    )
    path.write_bytes(archives.bz2(archives.source_tar(files)))
    with open_package(str(path), UNSIGNED) as loaded:
        assert [task.id for task in loaded.workflows[0].tasks] == ["a", "b"]


def test_a_package_of_format_2_runs(path):
    path.write_bytes(archives.gz(archives.v2_tar()))
    with open_package(str(path), UNSIGNED) as loaded:
        first = loaded.session.describe().tasks[0]
        assert not loaded.session.run_task(first.id, {}, timeout=20).crashed


def test_of_two_libraries_that_fit_the_one_for_the_newer_libc_is_taken():
    host = HostPlatform("x86_64", "linux", Libc("glibc", "2.36"))

    def artifact(floor):
        libc = Libc("glibc", floor)
        tag = "linux_x86_64" if floor is None else f"manylinux_{floor.replace('.', '_')}_x86_64"
        return Artifact(
            platform=tag, path="x", kind="cdylib", machine="x86_64", os="linux", libc=libc
        )

    chosen = choose_artifact(tuple(map(artifact, (None, "2.9", "2.34", "2.99"))), host, where="x")
    assert chosen.libc.floor == "2.34"
    assert choose_artifact((artifact(None), artifact("2.99")), host, where="x").libc.floor is None
    musl = HostPlatform("x86_64", "linux", Libc("musl", "1.2.3"))
    with pytest.raises(Incompatible, match="linux on x86_64 with musl"):
        choose_artifact((artifact(None), artifact("2.9")), musl, where="x")


def test_code_for_another_python_is_said_to_be_that(tmp_path):
    """What is vendored for one Python is not there for another."""
    text = (
        '[project]\nname = "demo"\nversion = "1.0"\nrequires-python = ">=3.99"\n'
        '[tool.cloacina]\nentry_module = "demo"\n'
    )
    project = plant(tmp_path / "p", {"pyproject.toml": text, "demo.py": f"import absent\n{TASK}"})
    path = tmp_path / "x.cloacina"
    package(PackageRequest(str(project), str(path)))
    with pytest.raises(Incompatible) as caught, open_package(str(path), UNSIGNED):
        pass
    (found,) = caught.value.diagnostics
    assert found.code is Code.NOT_FOR_RUNTIME
    assert "for Python >=3.99, and this is 3." in found.message
    assert "absent" in found.message
    assert "--vendor-python" in found.hint
