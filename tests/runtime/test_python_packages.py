"""Python packages, imported and run in a child process as a server imports them."""

import shutil
import threading
from pathlib import Path
from textwrap import dedent

import pytest

from cloacina_ctl.errors import Code, Refused, Severity
from cloacina_ctl.releases import table
from cloacina_ctl.runtime.host.python_import import REFUSED_NAMES
from cloacina_ctl.runtime.loading import load
from cloacina_ctl.runtime.process.bundle import ModuleTree
from cloacina_ctl.runtime.process.child import HostLimits, HostOptions
from cloacina_ctl.runtime.session import Preparation
from tests.support.projects import FIXTURES
from tests.support.sessions import noticed
from tests.support.waiting import wait_until


class Loader:
    """Makes packages of modules and loads them; keeps what they print."""

    def __init__(self):
        self.lines = []
        self.sessions = []
        self.options = HostOptions()

    def __call__(self, entry="pack.tasks", vendored=("vendor",), limits=HostLimits(), **files):
        def fill(tree):
            for name, text in files.items():
                path = tree / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(dedent(text))

        return self.start(fill, entry, vendored, limits)

    def fixture(self, name, entry):
        return self.start(lambda tree: shutil.copytree(FIXTURES / name, tree), entry)

    def start(self, fill, entry, vendored=("vendor",), limits=HostLimits()):
        options = self.options._replace(
            limits=limits, on_output=lambda _, line: self.lines.append(line)
        )
        with Preparation("x.cloacina", options) as ready:
            tree = Path(ready.material.folder, "package")
            fill(tree)
            modules = ModuleTree(
                tree=str(tree), entry_module=entry, workflow="flow", package="pack",
                vendored=vendored,
            )  # fmt: skip
            ready.material.take_modules(modules)
            session = load(ready)
        self.sessions.append(session)
        return session


@pytest.fixture
def make():
    loader = Loader()
    yield loader
    for session in loader.sessions:
        session.close()


FROM_ANOTHER_THREAD = (
    "import threading, cloaca\n"
    "t = threading.Thread(target=lambda: cloaca.task()(lambda c: c)); t.start(); t.join()"
)


def one(text):
    """Return the files of a package of one module."""
    return {"workflow/pack/__init__.py": "", "workflow/pack/tasks.py": text}


def test_a_package_with_everything_that_decorators_can_say(make):
    session = make(
        **one(
            '''
            import cloaca
            from cloaca import Context, task

            def after(task_id, context):
                print("after", task_id, context.to_dict())

            def failed(task_id, message, context):
                print("failed", task_id, message, context.to_dict())

            with cloaca.ComputationGraphBuilder("score", graph={"total": {}}) as score:
                @cloaca.node
                def total(context):
                    return sum(context["values"])

            def post(context):
                context.set("posted", context["total"])
                return context

            @task(on_success=after, retry=cloaca.RetryPolicy.builder().max_attempts(2).build())
            def begin(context):
                """Begin."""
                print("beginning")
                context.set("values", [1, 2])
                return context

            @task(dependencies=[begin], invokes=score, post_invocation=post)
            def scored(context):
                context.set("lost", True)

            @task(dependencies=["begin"], on_failure=failed)
            def broken(context):
                raise ValueError("no\\n  way")

            @task(dependencies=["begin"])
            def waits(context, handle):
                handle.defer_until(lambda: True)
                return Context({"only": "this"})

            @task(dependencies=["begin"])
            def wrong(context):
                return {"a": "dict"}

            @task(dependencies=["begin"])
            async def later(context):
                return context

            @task(dependencies=["begin"])
            def leaves(context):
                raise SystemExit(3)

            ok = cloaca.task_success("begin")

            @task(id="kept", trigger_rules=ok, on_success=lambda *_: 1 / 0)
            def kept(context):
                context.set("lost", True)

            @cloaca.trigger(poll_interval="5s", on="flow")
            def inbox():
                return cloaca.TriggerResult.fire(Context({"file": "a"}))

            @cloaca.trigger()
            def never():
                return cloaca.TriggerResult.skip()

            @cloaca.trigger()
            def odd():
                return "yes"

            @cloaca.stream_accumulator(type="kafka", topic="t")
            def ticks(event):
                return event

            @cloaca.reactor(name="ticker", accumulators=["ticks"])
            class Ticker:
                pass

            with cloaca.ComputationGraphBuilder(
                "market", graph={"double": {"inputs": ["ticks"]}}, reactor=Ticker
            ):
                @cloaca.node
                def double(tick):
                    return 2 * tick
            '''
        )
    )
    said = session.describe()
    assert said.interface.kind == "python"
    assert said.workflow == "flow"
    tasks = {task.id: task for task in said.tasks}
    assert tasks["begin"].description == "Begin."
    assert tasks["begin"].retry.attempts == 2
    assert tasks["scored"].dependencies == ("begin",)
    assert tasks["waits"].needs_handle
    assert '"TaskSuccess"' in tasks["kept"].trigger_rules
    assert said.reactors[0].inputs[0].config == (("topic", "t"), ("type", "kafka"))
    assert said.graph.reactor == "ticker"
    assert said.callable_graphs == ("score",)

    def run(id_, **context):
        return session.run_task(id_, context, timeout=30)

    assert run("begin", day=1).context == {"day": 1, "values": [1, 2]}
    assert "beginning" in make.lines
    assert "after begin {'day': 1, 'values': [1, 2]}" in make.lines
    assert run("scored", values=[1, 2]).context == {"values": [1, 2], "total": 3, "posted": 3}
    assert run("scored").error == "KeyError: 'no such key in the context: values'"
    assert run("broken", a=1).error == "ValueError: no way"
    assert "failed broken ValueError: no way {'a': 1}" in make.lines
    assert run("waits", a=1).context == {"only": "this"}
    assert run("wrong").error == "TypeError: a task returns a Context or None, not dict"
    assert "cannot be an `async def`" in run("later").error
    assert run("leaves").error == "SystemExit: 3"
    assert run("kept", a=1).context == {"a": 1}, "None keeps what the task was given"
    assert session.poll_trigger("inbox").context == {"file": "a"}
    assert not session.poll_trigger("never").fires
    assert "returns a TriggerResult" in session.poll_trigger("odd").error
    assert session.run_graph("market", {"ticks": 4}).outputs == (8,)
    assert session.run_graph("score", {"values": [4]}).outputs == (4,)
    assert session.run_graph("market", {}).error.startswith("TypeError")
    assert noticed(session) == []


def test_the_fixtures_of_this_project_run(make):
    session = make.fixture("python_tree", "sensor_readings.tasks")
    context = {"input": [3, 5]}
    for id_ in ("fetch", "clean", "average"):
        context = session.run_task(id_, context, timeout=30).context
    assert context["average"] == 4.0


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("import sys; sys.exit(3)", Code.LOAD_FAILED, "ends the process: SystemExit(3)"),
        ("raise SystemExit", Code.LOAD_FAILED, "ends the process"),
        ("import numpy", Code.LOAD_FAILED, "needs a missing module: numpy"),
        ("import pack.none", Code.LOAD_FAILED, "needs a missing module: pack.none"),
        ("1 / 0", Code.LOAD_FAILED, "ZeroDivisionError: division by zero"),
        ("def (", Code.LOAD_FAILED, "SyntaxError"),
        ("x = 1", Code.NO_PYTHON_TASK, "registered no tasks and no reactors"),
        ("import cloaca; cloaca.DefaultRunner", Code.LOAD_FAILED, "DefaultRunner"),
        ("import cloacina_ctl.cli", Code.LOAD_FAILED, "needs a missing module: cloacina_ctl.cli"),
        (
            "import cloaca\n@cloaca.task(dependencies=['b'])\ndef a(c): pass",
            Code.UNKNOWN_DEPENDENCY,
            "depends on `b`, which is not a task",
        ),
        (
            "import cloaca\n@cloaca.task(dependencies=['a'])\ndef a(c): pass",
            Code.CYCLE,
            "wait for each other: a",
        ),
        (
            FROM_ANOTHER_THREAD,
            Code.NO_PYTHON_TASK,
            "registered no tasks",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(make, text, code, words):
    with pytest.raises(Refused) as refused:
        make(**one(text))
    (found,) = refused.value.diagnostics
    assert found.code is code
    assert words in found.message
    assert found.where == "x.cloacina"


def test_the_trace_of_a_failed_import_names_the_package_s_own_line(make):
    with pytest.raises(Refused):
        make(**one("def f():\n    raise RuntimeError('so')\nf()"))
    text = "\n".join(make.lines)
    assert 'File "workflow/pack/tasks.py", line 3' in text
    assert "python_import.py" not in text


def test_an_entry_module_that_is_not_there_is_named(make):
    with pytest.raises(Refused) as refused:
        make(entry="pack.other", **one("x = 1"))
    assert refused.value.diagnostics[0].code is Code.ENTRY_MODULE_MISSING
    with pytest.raises(Refused) as refused:
        make(entry="pack.tasks", **{"src/pack/tasks.py": ""})
    assert str(refused.value) == "the package has no folder `workflow`"


@pytest.mark.parametrize("place", ["workflow/json.py", "vendor/http/__init__.py"])
def test_names_of_the_standard_library_are_refused_as_loaders_do(make, place):
    with pytest.raises(Refused) as refused:
        make(**one("x = 1"), **{place: ""})
    assert refused.value.diagnostics[0].code is Code.SHADOWED_NAME
    assert place.split("/__")[0] in str(refused.value)


def test_the_refused_names_are_those_that_packages_are_checked_for():
    assert table.SHADOWED_NAMES == REFUSED_NAMES


def test_a_package_named_as_a_standard_module_hides_it_as_servers_do(make):
    with pytest.raises(Refused) as refused:
        make(
            entry="statistics.tasks",
            **{
                "workflow/statistics/__init__.py": "",
                "workflow/statistics/tasks.py": "import calendar",
            },
        )
    (found,) = refused.value.diagnostics
    assert "calendar" in found.message
    assert "a standard module's name" in found.hint


def test_vendored_packages_are_found_behind_the_standard_library(make):
    session = make(
        vendored=("vendor", "platform/here/vendor", "platform/none/vendor"),
        **one(
            "import cloaca, calendar, helper, native\n"
            "@cloaca.task()\n"
            "def a(c):\n"
            "    c.set('x', [helper.X, native.Y, hasattr(calendar, 'TRAP')])\n    return c"
        ),
        **{
            "vendor/helper.py": "X = 1",
            "vendor/calendar.py": "TRAP = 1",
            "platform/here/vendor/native.py": "Y = 2",
        },
    )
    assert session.run_task("a", {}, timeout=30).context == {"x": [1, 2, False]}


def test_a_workflow_that_a_builder_wraps_is_refused_as_engines_do(make):
    with pytest.raises(Refused) as refused:
        make(
            **one(
                "import cloaca\n"
                "with cloaca.WorkflowBuilder('wrapped'):\n"
                "    @cloaca.task()\n    def a(c):\n        return c"
            )
        )
    (found,) = refused.value.diagnostics
    assert found.code is Code.NO_PYTHON_TASK
    assert "which registered no tasks: its tasks are of `wrapped`" in found.message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("cloaca.DefaultRunner('sqlite://')", "has no attribute 'DefaultRunner'"),
        ("from cloaca import DatabaseAdmin", "cannot import name 'DatabaseAdmin' from 'cloaca'"),
        ("cloaca.WorkflowBuilder('w').add_task('a')", "Task 'a' not found in registry"),
    ],
)
def test_what_packages_lack_of_the_engine_s_module_fails_in_its_words(make, source, words):
    with pytest.raises(Refused) as refused:
        make(**one(f"import cloaca\n@cloaca.task()\ndef a(c):\n    return c\n{source}\n"))
    (found,) = refused.value.diagnostics
    assert found.code is Code.LOAD_FAILED
    assert words in found.message
    assert ("packages have less of `cloaca`" in found.hint) is ("Task" not in words)


def test_tasks_of_several_builders_are_none_of_the_package_s_workflow(make):
    with pytest.raises(Refused) as refused:
        make(
            **one(
                """
                import cloaca

                for name in ("first", "second"):
                    with cloaca.WorkflowBuilder(name):
                        @cloaca.task(id=name)
                        def task(context):
                            return context
                """
            )
        )
    (found,) = refused.value.diagnostics
    assert found.code is Code.NO_PYTHON_TASK
    assert found.message.endswith("its tasks are of `first`, `second`")


def test_reading_its_own_files_after_the_import_is_warned_of(make):
    session = make(
        **one(
            """
            import os, cloaca
            HERE = os.path.dirname(__file__)
            open(os.path.join(HERE, "early.txt")).close()

            @cloaca.task()
            def reads(context):
                with open(os.path.join(HERE, "late.txt")) as file:
                    context.set("text", file.read())
                open(os.path.join(HERE, "late.txt")).close()
                open("/dev/null").close()
                import pack.more
                return context

            @cloaca.task()
            def fails(context):
                raise ValueError
            """
        ),
        **{
            "workflow/pack/early.txt": "e", "workflow/pack/late.txt": "l",
            "workflow/pack/more.py": "",
        },
    )  # fmt: skip
    session.run_task("fails", {}, timeout=30)
    assert noticed(session) == [], "a trace reads sources too, and is not the package"
    assert session.run_task("reads", {}, timeout=30).context == {"text": "l"}
    assert {one.code for one in noticed(session)} == {Code.LATE_READ}
    assert {one.severity for one in noticed(session)} == {Severity.WARNING}
    assert [one.message for one in noticed(session)] == [
        "`workflow/pack/late.txt` is read after the import",
        "`workflow/pack/more.py` is read after the import",
    ]


def test_an_import_that_does_not_end_is_ended(make):
    with pytest.raises(Refused) as refused:
        make(limits=HostLimits(load_seconds=0.5), **one("while True: pass"))
    assert "not loaded within 0.5 seconds" in str(refused.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import os; os._exit(3)", "it ended with status 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
    ],
)
def test_a_task_that_ends_its_process_crashed(make, body, words):
    session = make(**one(f"import cloaca\n@cloaca.task()\ndef a(c):\n    {body}"))
    outcome = session.run_task("a", {}, timeout=30)
    assert outcome.crashed
    assert words in outcome.error


def test_a_task_that_needs_too_much_memory_fails(make):
    session = make(
        limits=HostLimits(memory=1 << 30),
        **one("import cloaca\n@cloaca.task()\ndef a(c):\n    bytearray(8 << 30)"),
    )
    assert session.run_task("a", {}, timeout=30).error == "MemoryError"


def test_nothing_of_this_program_is_on_the_path(make):
    session = make(
        **one(
            "import cloaca, sys\n@cloaca.task()\ndef a(c):\n"
            "    c.set('path', [p for p in sys.path if 'site-packages' in p])\n"
            "    c.set('argv', len(sys.argv))\n    return c"
        )
    )
    assert session.run_task("a", {}, timeout=30).context == {"path": [], "argv": 1}


def test_a_context_value_that_json_cannot_hold_fails_the_task(make):
    session = make(
        **one(
            "import cloaca\n@cloaca.task()\ndef a(c):\n    c.set('x', float('nan'))\n    return c"
        )
    )
    assert session.run_task("a", {}, timeout=30).error.startswith("ValueError")


def test_the_folder_of_a_package_is_gone_when_its_session_is(make):
    session = make(**one("import cloaca\n@cloaca.task()\ndef a(c):\n    return c"))
    folder = Path(session._material.folder)
    assert (folder / "package").is_dir()
    session.close()
    assert not folder.exists()


def test_a_package_that_cannot_be_loaded_a_second_time_is_an_outcome(make):
    session = make(
        **one(
            """
            import os, cloaca
            MARK = os.path.join(os.environ["HOME"], "mark")
            if os.path.exists(MARK):
                raise RuntimeError("not again")
            open(MARK, "w").close()

            @cloaca.task()
            def a(context):
                os._exit(1)
            """
        )
    )
    assert session.run_task("a", {}, timeout=30).crashed
    for _ in range(2):
        outcome = session.run_task("a", {}, timeout=30)
        assert outcome.crashed
        assert "RuntimeError: not again" in outcome.error


def test_thousands_of_notices_are_kept_to_a_hundred(make):
    session = make(**one("import cloaca\n@cloaca.task()\ndef a(c):\n    return c"))
    for number in range(1000):
        session._notice({"code": "T009", "message": f"{number}"})
    session._notice({"code": "T009", "message": 3})
    session._notice({"code": "T001", "message": "x"})
    assert len(session.warnings) == 100


def test_a_trace_has_the_paths_of_the_package_and_nothing_of_this_program(make):
    text = """
        import cloaca

        def inner(context):
            context.set("rates", {"eu": [1, {2}]})

        @cloaca.task(id="a")
        def a(context):
            try:
                inner(context)
            except TypeError as error:
                raise ValueError("no rates") from error
        """
    assert not make(**one(text)).run_task("a", {}, timeout=20).succeeded
    files = [line.split('"')[1] for line in make.lines if line.lstrip().startswith("File ")]
    assert files == ["workflow/pack/tasks.py"] * 3
    assert "TypeError: JSON cannot hold a value of type set: `rates.eu[1]`" in make.lines


def test_the_trace_of_an_import_shows_no_machinery(make):
    with pytest.raises(Refused):
        make(**one("import pack.other"), **{"workflow/pack/other.py": "1 / 0\n"})
    files = [line.split('"')[1] for line in make.lines if line.lstrip().startswith("File ")]
    assert files == ["workflow/pack/tasks.py", "workflow/pack/other.py"]


PRINTS = """
    import os, sys, time
    import cloaca

    @cloaca.task(id="sleeps")
    def sleeps(context):
        print("before")
        time.sleep(60)

    @cloaca.task(id="leaves")
    def leaves(context):
        print("last words")
        os._exit(7)
    """


def test_what_a_task_prints_is_there_though_it_never_ends(make):
    session = make(**one(PRINTS))
    assert session.run_task("sleeps", {}, timeout=0.5).timed_out
    assert make.lines == ["before"]
    assert session.run_task("leaves", {}, timeout=20).crashed
    assert make.lines == ["before", "last words"]


def test_a_line_is_handed_on_while_the_task_runs(make):
    text = """
        import cloaca, os, time

        @cloaca.task(id="a")
        def a(context):
            print("begun")
            while not os.path.exists("go"):
                time.sleep(0.01)
        """
    session = make(**one(text))
    asked = threading.Thread(target=lambda: session.run_task("a", {}, timeout=60))
    asked.start()
    folder = Path(session._material.folder)
    wait_until(lambda: make.lines)
    assert make.lines == ["begun"]
    (folder / "go").touch()
    asked.join()


def test_what_an_import_prints_that_fails_is_there(make):
    with pytest.raises(Refused):
        make(**one("import sys\nprint('why not')\nsys.exit(3)\n"))
    assert make.lines == ["why not"]


def test_both_streams_can_come_in_the_order_in_which_they_were_written(make):
    text = """
        import cloaca, sys

        @cloaca.task(id="a")
        def a(context):
            for number in range(200):
                print(number, file=(sys.stdout, sys.stderr)[number % 2])
        """
    make.options = HostOptions(one_stream=True)
    assert make(**one(text)).run_task("a", {}, timeout=60).succeeded
    assert make.lines == list(map(str, range(200)))
