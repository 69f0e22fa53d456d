"""The host of each interface, on crates of every release that could be built: real libraries.

What a release is expected to have was measured on these very libraries; `crates.ALL` names the
releases. Building them all takes minutes the first time, and nothing once the cache has them.
"""

import json

import pytest

from cloacina_ctl.errors import Refused
from cloacina_ctl.runtime.metadata import workflow_of
from cloacina_ctl.runtime.process.child import HostOptions
from cloacina_ctl.runtime.scheduler.run import run_workflow
from tests.engines import crates
from tests.support.plugins import session_of

pytestmark = pytest.mark.slow

TIMEOUT = 60
# Each release whose library has a descriptor: ABI, version of the interface, methods.
DESCRIPTORS = {
    "0.4.0": (2, 1, 2),
    "0.5.1": (2, 1, 4),
    "0.6.1": (200, 2, 9),
    "0.7.0": (200, 2, 9),
    "0.8.0": (200, 2, 9),
    "0.9.0": (200, 3, 10),
    "0.10.0": (500, 5, 11),
    "0.11.0": (500, 7, 11),
    "0.11.1": (500, 7, 11),
    "0.12.0": (500, 7, 11),
}
C_INTERFACE = {"0.2.0": "c-abi-0.2", "0.3.1": "c-abi-0.3"}
HASHES = {"0.4.0": "2d2239c438ebd4ff"}
HASH = "5294867f0800277b"
DEBUG = ("0.4.0", "0.5.1")  # later ones speak the same whatever the profile
BUILDS = [(release, "release") for release in crates.ALL] + [(one, "debug") for one in DEBUG]


def since(number):
    """Return the releases from 0.``number`` on."""
    return [release for release in crates.ALL if crates.minor(release) >= number]


def opened(release, kind="workflow", profile="release", **options):
    """Return a session of a library of that release."""
    return session_of(crates.library(release, kind, profile), options=HostOptions(**options))


@pytest.fixture(scope="module", params=BUILDS, ids="-".join)
def built(request):
    """A session of each build; yields the release, the profile and the session."""
    release, profile = request.param
    with opened(release, profile=profile) as session:
        yield release, profile, session


def _tasks(release):
    tasks = {"collect": (), "double": ("collect",), "trouble": ("collect",)}
    if crates.minor(release) >= 8:
        tasks["ruled"] = ("double",)
    if crates.minor(release) >= 10:
        tasks["secretive"] = ()
    if crates.minor(release) >= 11:
        tasks["patient"] = ("collect",)
    last = [id_ for id_ in tasks if id_ != "collect"]
    return {**tasks, "report": tuple(last)}


def test_a_library_says_what_it_is(built):
    release, profile, session = built
    said = session.describe()
    if release in C_INTERFACE:
        assert said.interface.kind == C_INTERFACE[release]
    else:
        abi, version, methods = DESCRIPTORS[release]
        interface = said.interface
        assert interface.kind == "fidius"
        assert (interface.abi, interface.version) == (abi, version)
        assert interface.hash == HASHES.get(release, HASH)
        assert len(interface.methods) == methods
        assert interface.wire == ("json" if profile == "debug" else "bincode")


def test_a_library_says_what_is_in_it(built):
    release, _, session = built
    said = session.describe()
    assert (said.workflow, said.package) == ("kinds", "release-kinds")
    assert {task.id: task.dependencies for task in said.tasks} == _tasks(release)
    assert not any(task.others for task in said.tasks)
    assert {task.id for task in said.tasks if task.needs_handle} == (
        {"patient"} if crates.minor(release) >= 11 else set()
    )
    if release != "0.2.0":  # which has no place for any of this
        assert (said.description, said.author) == ("One task of each kind", "Ada")
        assert len(said.fingerprint) == 16


def test_a_workflow_runs_to_its_end(built):
    release, _, session = built
    workflow = workflow_of(session.describe())
    outcome = run_workflow(session, workflow, {"day": "today"})
    assert {task.id: (task.status, task.error) for task in outcome.tasks} == dict.fromkeys(
        _tasks(release), ("completed", None)
    )
    assert outcome.status == "completed"
    context = outcome.context
    assert (context["day"], context["data"], context["result"]) == ("today", 42, 84)


def test_a_task_that_fails_says_why(built):
    _, _, session = built
    outcome = session.run_task("trouble", {"trouble": "no «data»"}, timeout=TIMEOUT)
    assert not outcome.succeeded
    assert not outcome.crashed
    assert "no «data»" in outcome.error


def test_a_task_that_is_not_there_is_the_plugins_own_failure(built):
    _, _, session = built
    # Past what a session refuses by itself, as if the library had described one task too many.
    answer, fate = session._ask({"do": "task", "task": "missing", "context": "{}"}, TIMEOUT)
    assert fate is None
    assert answer["succeeded"] is False
    assert "missing" in answer["error"]


def test_a_task_that_panics_fails_alone_or_with_its_process(built):
    release, _, session = built
    outcome = session.run_task("trouble", {"trouble": "panic"}, timeout=TIMEOUT)
    assert not outcome.succeeded
    assert "as it was asked to" in outcome.error
    # A panic cannot leave a function of C: there it ends the process.
    assert outcome.crashed is (release in C_INTERFACE)
    assert session.run_task("collect", {}, timeout=TIMEOUT).context == {"data": 42}


def test_a_large_context_comes_back_whole(built):
    _, _, session = built
    rows = {"rows": [f"{number} ä" * 20 for number in range(20_000)]}
    outcome = session.run_task("collect", rows, timeout=TIMEOUT)
    assert outcome.context == {**rows, "data": 42}


@pytest.mark.parametrize("release", list(C_INTERFACE))
def test_a_context_that_the_old_interface_would_cut_is_refused(release):
    with opened(release) as session:
        outcome = session.run_task("collect", {"row": "x" * (11 << 20)}, timeout=TIMEOUT)
        assert "may be truncated" in outcome.error


@pytest.mark.parametrize("release", crates.ALL)
def test_what_a_task_prints_is_handed_on(release):
    lines = []
    with opened(release, on_output=lambda stream, line: lines.append((stream, line))) as session:
        assert session.run_task("collect", {}, timeout=TIMEOUT).succeeded
    assert ("stdout", "collecting") in lines


@pytest.mark.parametrize("release", since(6))
def test_a_trigger_fires_or_not_or_says_why_it_cannot_tell(release):
    with opened(release) as session:
        said = session.describe()
        assert said.workflow_triggers == ("inbox",)
        triggers = {one.name: one for one in said.triggers}
        assert set(triggers) == {"inbox", "silent", "broken", "nightly"}
        assert triggers["nightly"].cron == "0 3 * * *"
        assert (triggers["inbox"].poll_interval, triggers["inbox"].allow_concurrent) == (
            "5000ms",
            True,
        )
        named = "kinds" if crates.minor(release) >= 8 else None
        assert {one.workflow for one in said.triggers} == {named}
        fires = session.poll_trigger("inbox", timeout=TIMEOUT)
        assert (fires.fires, fires.context, fires.error) == (True, {"file": "a.csv"}, None)
        waits = session.poll_trigger("silent", timeout=TIMEOUT)
        assert (waits.fires, waits.context, waits.error) == (False, None, None)
        fails = session.poll_trigger("broken", timeout=TIMEOUT)
        assert not fails.fires
        assert "no inbox" in fails.error


@pytest.mark.parametrize("release", since(6))
def test_a_graph_that_a_reactor_feeds_runs(release):
    with opened(release) as session:
        said = session.describe()
        (reactor,) = said.reactors
        assert (reactor.name, reactor.reaction_mode) == ("ticker", "when_all")
        assert [(one.name, one.type) for one in reactor.inputs] == [
            ("price", "passthrough"),
            ("count", "passthrough"),
        ]
        assert (said.graph.name, said.graph.reactor) == ("market", "ticker")
        if crates.minor(release) >= 8:
            nodes = json.loads(said.graph.graph)["nodes"]
            assert {node["id"] for node in nodes} == {"total", "answer"}
        outcome = session.run_graph("market", {"price": 3, "count": 4}, timeout=TIMEOUT)
        assert outcome.outputs == ({"total": 12},)


@pytest.mark.parametrize("profile", ["release", "debug"])
def test_a_graph_alone_runs_as_the_first_release_with_graphs_has_it(profile):
    with opened("0.5.1", "graph", profile) as session:
        said = session.describe()
        assert said.tasks == ()
        assert said.graph.name == "market"
        assert {one.name for one in said.graph.inputs} == {"price", "count"}
        outcome = session.run_graph("market", {"price": 3, "count": 4}, timeout=TIMEOUT)
        assert outcome.succeeded


# Before, the macro's code for such a graph names a crate that a package does not have.
@pytest.mark.parametrize("release", since(10))
def test_a_graph_that_tasks_call_runs_with_a_context(release):
    with opened(release) as session:
        assert session.describe().callable_graphs == ("scoring",)
        outcome = session.run_graph("scoring", {"points": 3}, timeout=TIMEOUT)
        assert outcome.outputs == ({"score": 30},)


@pytest.mark.parametrize("release", since(8))
def test_a_rule_is_told_and_followed(release):
    with opened(release) as session:
        workflow = workflow_of(session.describe())
        rules = {task.id: json.loads(task.trigger_rules) for task in workflow.tasks}
        assert rules["collect"] == {"type": "Always"}
        (condition,) = rules["ruled"]["conditions"]
        assert condition["type"] == "TaskSuccess"
        assert condition["task_name"].endswith("double")
        outcome = run_workflow(session, workflow, {})
        assert outcome.context["ruled"] is True


@pytest.mark.parametrize("release", since(9))
def test_parameters_and_secrets_are_told(release):
    with opened(release) as session:
        surfaces = [dict(one) for one in session.describe().inputs]
        (own,) = (one for one in surfaces if one["surface_kind"] == "workflow")
        slots = {one["name"]: one for one in json.loads(own["slots_json"])}
        assert slots["day"]["required"] is True
        assert slots["limit"]["default"] == 7
        assert ("db" in slots) is (crates.minor(release) >= 10)


@pytest.mark.parametrize("release", since(10))
def test_a_task_that_asks_for_a_secret_fails_and_says_that_there_are_none(release):
    with opened(release) as session:
        outcome = session.run_task("secretive", {"secret": 1}, timeout=TIMEOUT)
        assert not outcome.succeeded
        assert "secrets backend not configured" in outcome.error
        assert outcome.error.endswith("(secrets are kept by a server; there are none here)")


@pytest.mark.parametrize("release", since(11))
def test_a_task_with_a_handle_waits_and_goes_on(release):
    lines = []
    with opened(release, on_output=lambda stream, line: lines.append((stream, line))) as session:
        first = session.run_task("patient", {}, timeout=TIMEOUT)
        second = session.run_task("patient", {}, timeout=TIMEOUT)
        assert first.context["polls"] == 3
        assert first.context["execution"] != second.context["execution"]
    told = [line for stream, line in lines if stream == "stderr"]
    assert told[:2] == ["the task `patient` says: Deferred", "the task `patient` says: Active"]


@pytest.mark.parametrize("release", ["0.10.0", "0.12.0"])
def test_a_workflow_with_a_constructor_is_refused_before_anything_runs(release):
    with opened(release, "constructor") as session:
        said = session.describe()
        assert [(one.id, one.dependencies) for one in said.constructors] == [("greet", ("find",))]
        with pytest.raises(Refused) as refused:
            run_workflow(session, workflow_of(said), {})
        assert "greet" in str(refused.value)
