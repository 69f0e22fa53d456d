"""Each plugin interface that a release ever had, on libraries that lay it out byte by byte."""

import threading
import time

import pytest

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.runtime import load_library
from cloacina_ctl.runtime.metadata import DescribedInput
from cloacina_ctl.runtime.process.child import HostOptions
from tests.support.plugins import plugin, raw, session_of

FINGERPRINT = "2cd523c85a1583c7"


@pytest.fixture(scope="module")
def newest():
    with session_of(plugin(500)) as session:
        yield session


@pytest.mark.parametrize(
    ("abi", "layout", "methods"),
    [(2, 0, 4), (200, 1, 9), (200, 2, 9), (200, 3, 9), (500, 2, 11), (500, 3, 11)],
)
def test_hosts_every_fidius_abi_with_each_layout_of_its_metadata(abi, layout, methods):
    with session_of(plugin(abi, LAYOUT=layout)) as session:
        said = session.describe()
        assert said.interface.kind == "fidius"
        assert said.interface.abi == abi
        assert said.interface.wire == "bincode"
        assert len(said.interface.methods) == methods
        assert (said.workflow, said.package, said.fingerprint) == ("flow", "pack", "00ff")
        assert (said.description, said.author) == ("a flow", None)
        echo, sleep, after = said.tasks
        assert (echo.id, sleep.id, after.id) == ("echo", "sleep", "after")
        assert after.dependencies == ("echo",)
        assert after.others == ("public::other::flow::first",)
        assert echo.trigger_rules == ('{"type":"Always"}' if layout >= 2 else None)
        assert sleep.needs_handle is (layout >= 3)
        assert said.workflow_triggers == (("inbox",) if layout else ())
        outcome = session.run_task("echo", {"k": [1, "ä"]}, timeout=20)
        assert outcome.succeeded
        assert outcome.context == {"k": [1, "ä"]}


def test_speaks_json_with_a_plugin_of_a_debug_build():
    with session_of(plugin(2, WIRE=0, LAYOUT=0)) as session:
        said = session.describe()
        assert said.interface.wire == "json"
        assert said.interface.version == 1
        assert [task.id for task in said.tasks] == ["echo"]
        assert session.run_task("echo", {}, timeout=20).context == {"json": 1}


@pytest.mark.parametrize("layout", [None, "c-abi-0.3"])
def test_hosts_the_c_interface_of_0_3(layout):
    with session_of(raw(3), layout) as session:
        said = session.describe()
        assert said.interface.kind == "c-abi-0.3"
        assert (said.workflow, said.package) == ("flow", "pack")
        assert (said.description, said.author, said.fingerprint) == ("a pack", "Ada", FINGERPRINT)
        assert said.tasks[1].dependencies == ("collect",)
        assert session.run_task("report", {"a": 1}, timeout=20).context == {"a": 1}


@pytest.mark.parametrize("layout", [None, "c-abi-0.3"])
def test_hosts_the_longer_c_interface_that_was_never_released(layout):
    with session_of(raw(4), layout) as session:
        said = session.describe()
        assert said.interface.kind == "c-abi-0.3"
        assert (said.workflow, said.package) == ("its flow", "pack")
        assert (said.description, said.author, said.fingerprint) == ("a pack", "Ada", FINGERPRINT)
        assert session.run_task("report", {"a": 1}, timeout=20).context == {"a": 1}


@pytest.mark.parametrize("layout", [None, "c-abi-0.2"])
def test_hosts_the_shorter_c_interface_of_0_2(layout):
    with session_of(raw(2), layout) as session:
        said = session.describe()
        assert said.interface.kind == "c-abi-0.2"
        assert said.workflow is None
        assert said.description is None
        assert [task.id for task in said.tasks] == ["collect", "report"]
        assert session.run_task("collect", {"a": 1}, timeout=20).context == {"a": 1}


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("fail", "as it should"),
        ("mute", "the task failed"),
        ("serial", "the context cannot be serialised"),
        ("strange", "an unknown status: 5"),
        ("latin", "not UTF-8"),
        ("huge", "may be truncated"),
    ],
)
def test_says_what_a_task_of_the_c_interface_said(context, words):
    with session_of(raw(3)) as session:
        outcome = session.run_task("collect", {"do": context}, timeout=20)
        assert not outcome.succeeded
        assert not outcome.crashed
        assert words in outcome.error


def test_says_what_a_panic_said_that_took_the_process_with_it():
    with session_of(raw(3)) as session:
        outcome = session.run_task("collect", {"do": "abort"}, timeout=20)
        assert outcome.crashed
        place = "thread '<unnamed>' (4) panicked at src/lib.rs:33:30:"
        assert outcome.error.endswith(f"SIGABRT, it aborted itself; it said: {place} no such row")
        assert session.run_task("collect", {}, timeout=20).succeeded


def test_tells_what_else_a_plugin_has(newest):
    said = newest.describe()
    assert said.graph.name == "market"
    assert said.graph.reactor == "ticker"
    assert said.graph.graph == '{"nodes":[]}'
    ticks = DescribedInput(name="ticks", type="stream", config=(("group", "g"), ("topic", "t")))
    assert said.graph.inputs == (ticks,)
    assert said.reactors[0].inputs == (ticks,)
    assert said.reactors[0].reaction_mode == "when_all"
    assert [(one.name, one.workflow, one.cron) for one in said.triggers] == [
        ("broken", "flow", None),
        ("inbox", "flow", None),
        ("nightly", "flow", "0 3 * * *"),
    ]
    assert said.callable_graphs == ("score",)
    assert said.inputs == (
        (("slots_json", "[]"), ("surface_kind", "workflow"), ("surface_name", "flow")),
    )
    assert [task.id for task in said.constructors] == ["fetch"]


def test_a_plugin_without_a_graph_says_so_and_runs():
    with session_of(plugin(200, LAYOUT=1)) as session:
        assert session.describe().graph is None
        assert [one.workflow for one in session.describe().triggers] == [None] * 3


def test_asks_a_trigger_once(newest):
    answer = newest.poll_trigger("inbox", timeout=20)
    assert answer.fires
    assert answer.context == {"file": "a"}


def test_says_why_a_trigger_cannot_tell_whether_it_fires(newest):
    answer = newest.poll_trigger("broken", timeout=20)
    assert not answer.fires
    assert answer.error == "no inbox"


def test_does_not_ask_a_trigger_that_goes_by_the_clock(newest):
    with pytest.raises(UsageError) as refused:
        newest.poll_trigger("nightly")
    assert "is a cron trigger" in str(refused.value)


def test_runs_the_graph_of_the_package_and_one_that_tasks_call(newest):
    ended = newest.run_graph("market", {"ticks": {"price": 1}}, timeout=20)
    assert ended.succeeded
    assert ended.outputs == ({"sum": 3},)
    failed = newest.run_graph("market", {}, timeout=20)
    assert failed.error == "no input"
    called = newest.run_graph("score", {"a": 1}, timeout=20)
    assert called.outputs == ({"a": 1}, "score")
    odd = newest.run_graph("score", {"odd": 1}, timeout=20)
    assert odd.error == "method 8 returns malformed data: a list of results expected"


def test_answers_a_task_that_waits_for_something():
    lines = []
    options = HostOptions(on_output=lambda stream, line: lines.append((stream, line)))
    with session_of(plugin(500, IMPORTS=1), options=options) as session:
        outcome = session.run_task("sleep", {}, timeout=20)
        # Well-formed, three calls that are known, one that is not, and one that is cut short.
        assert outcome.context == {"host": [1, 0, 0, 0, -6, -2], "names": 36}
    assert ("stderr", "the task `sleep` says: Deferred") in lines


@pytest.mark.parametrize("imports", [2, 3])
def test_gives_no_functions_to_a_plugin_that_wants_others(imports):
    with session_of(plugin(500, IMPORTS=imports)) as session:
        assert session.run_task("sleep", {}, timeout=20).context == {"host": None}


def test_names_the_near_tasks_where_one_is_not_there(newest):
    with pytest.raises(UsageError) as refused:
        newest.run_task("eco", {})
    (found,) = refused.value.diagnostics
    assert found.code is Code.NO_SUCH_TASK
    assert found.hint == "did you mean `echo`?"
    with pytest.raises(UsageError) as refused:
        newest.poll_trigger("zzz")
    assert refused.value.diagnostics[0].hint == "it has: broken, inbox, nightly"


@pytest.mark.parametrize("context", [[1], "text", {"a": float("nan")}, {"a": {1, 2}}])
def test_refuses_a_context_that_is_no_json_object(newest, context):
    with pytest.raises(UsageError) as refused:
        newest.run_task("echo", context)
    assert refused.value.diagnostics[0].code is Code.BAD_CONTEXT


def test_tasks_run_at_once(newest):
    began = time.monotonic()
    threads = [
        threading.Thread(target=newest.run_task, args=("sleep", {"n": 200})) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 1.0


def test_hands_on_what_a_task_prints_before_the_task_has_ended():
    lines = []
    options = HostOptions(on_output=lambda stream, line: lines.append((stream, line)))
    with session_of(plugin(500), options=options) as session:
        assert session.run_task("after", {"do": "print"}, timeout=20).succeeded
        assert ("stdout", "to stdout") in lines
        assert ("stderr", "to stderr \x1b[31m \ufffd") in lines
    assert ("stdout", "a half line") in lines
    assert ("stderr", "destroyed") in lines


def test_what_c_prints_is_there_though_the_task_never_ends():
    lines = []
    options = HostOptions(on_output=lambda stream, line: lines.append((stream, line)))
    with session_of(plugin(500), options=options) as session:
        assert session.run_task("after", {"do": "print close"}, timeout=20).crashed
    assert ("stdout", "to stdout") in lines


def test_a_context_of_megabytes_goes_through(newest):
    context = {"rows": ["x" * 1000] * 4000}
    assert newest.run_task("echo", context, timeout=60).context == context


def test_a_library_that_was_just_built_tells_its_tasks():
    said = load_library(plugin(500))
    assert [task.id for task in said.tasks] == ["echo", "sleep", "after"]


def test_a_session_that_is_closed_runs_nothing():
    session = session_of(plugin(500))
    session.close()
    session.close()
    with pytest.raises(UsageError) as refused:
        session.run_task("echo", {})
    assert "closed" in str(refused.value)
