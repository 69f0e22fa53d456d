"""Runs a Python package in the engine of the `cloaca` wheel, as servers do.

The wheel is loaded before the package, and its folder is removed from the path before the package
is imported: a package finds the engine, but nothing that is installed beside it. The decorators
declare to the engine, which schedules, retries and merges contexts; here the run is only observed,
by a wrapper around each task's function and in the engine's own tables (`engine_tables`).
"""

from __future__ import annotations

import _thread
import json
import os
import queue
import sys
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.engine_tables import Reader
from cloacina_ctl.runtime.host.engine_tracker import RunTracker
from cloacina_ctl.runtime.host.host import LoadFailure
from cloacina_ctl.runtime.host.late_reads import watch_late_reads
from cloacina_ctl.runtime.host.python_import import import_entry, words_of
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable
    from types import ModuleType

    Answer = dict[str, Any]
    Function = Callable[..., object]
    Report = Callable[[Answer], None]

_NO_ENGINE = "T013"
FIRST, LAST = (0, 4), (0, 12)
# Functions that the engine calls after a task's own, unobserved.
_UNSEEN = ("invokes", "post_invocation", "on_success", "on_failure")


def load_into_engine(order: Answer, engine: Answer, report: Report) -> EngineHost:
    """Import the wheel and then the entry module of ``order``. Raises ``LoadFailure``."""
    folder = engine["folder"]
    if folder is None:
        raise LoadFailure(
            _NO_ENGINE,
            f"the engine `cloaca` is not installed for {sys.executable}",
            "`pip install cloaca` with that interpreter",
        )
    reader = Reader()
    module, release = _load_engine(folder)
    host = EngineHost(module, release, order, report, reader)
    host.register(order)
    watch_late_reads(order["tree"], report)
    return host


def installed_engine() -> str | None:
    """Return the folder where this interpreter has the wheel installed, None without one.

    Call it before the process loses access to the interpreter's other folders.
    """
    import site

    prefixes = [os.path.dirname(os.path.dirname(sys.executable)), sys.prefix]
    for folder in site.getsitepackages(prefixes):
        if os.path.isfile(os.path.join(folder, "cloaca", "__init__.py")):
            return folder
    return None


def _load_engine(folder: str) -> tuple[ModuleType, str]:
    release = _release(folder)
    found = tuple(int(part) for part in release.split(".")[:2] if part.isdigit())
    if not FIRST <= found <= LAST:
        raise LoadFailure(
            _NO_ENGINE,
            f"the engine there is cloaca {release}; the known releases are 0.4 to 0.12",
            "install one of these",
        )
    os.environ.setdefault("RUST_LOG", "error")
    os.environ.setdefault("NO_COLOR", "1")
    sys.path.append(folder)
    try:
        import cloaca  # type: ignore[import-not-found, unused-ignore]
    except BaseException as error:
        raise LoadFailure(
            _NO_ENGINE,
            f"the engine cloaca {release} cannot be loaded: {words_of(error)}",
            "name an interpreter that can load it: --engine cloaca=PATH",
        ) from error
    finally:
        sys.path.remove(folder)
    return cloaca, release


def _release(folder: str) -> str:
    for name in os.listdir(folder):
        if name.startswith("cloaca-") and name.endswith(".dist-info"):
            return name[len("cloaca-") : -len(".dist-info")]
    raise LoadFailure(
        _NO_ENGINE, "the release of the engine there is unknown: it has no `dist-info`"
    )


class _Declared(NamedTuple):
    """A task as its decorator declared it, and the function that the engine calls."""

    id: str
    function: Function
    given: Function
    arguments: Answer


class EngineHost:
    """A package whose tasks are declared to the engine."""

    def __init__(
        self, module: ModuleType, release: str, order: Answer, report: Report, reader: Reader
    ) -> None:
        self._engine = module
        self._release = release
        self._reader = reader
        self._report = report
        self._tenant, self._package = order["tenant"], order["package"]
        self._workflow = order["workflow"]
        self._folder = os.getcwd()
        self._tasks: dict[str, _Declared] = {}
        self._watch: RunTracker | None = None
        self._runner: Any = None
        self._requests: queue.SimpleQueue[tuple[Answer, queue.SimpleQueue[Answer]]]
        self._requests = queue.SimpleQueue()
        self._declare: Callable[..., Callable[[Function], Function]] = module.task

    def register(self, order: Answer) -> None:
        """Import the package, which declares its tasks to the engine. Raises ``LoadFailure``."""
        for module in (self._engine, sys.modules.get("cloaca.cloaca")):
            if module is not None:
                module.task = self._task  # type: ignore[attr-defined]
        failed = None
        try:
            with self._names(self._workflow):
                try:
                    import_entry(order)
                except LoadFailure as failure:
                    failed = failure
        except ValueError as error:
            failed = failed or _refusal(str(error), order["entry_module"])
        if failed is not None:
            raise failed

    def describe(self) -> Answer:
        """Return the declared tasks, and the engine's release."""
        return {
            "interface": {"kind": "python"},
            "engine": self._release,
            "package": self._package,
            "workflow": self._workflow,
            "tasks": list(map(_described, self._tasks.values())),
        }

    def calls(self) -> dict[str, Callable[[Answer], Answer]]:
        """Return the supported requests: to run the workflow, or one task of it."""
        others = dict.fromkeys(("task", "trigger", "graph", "callable_graph"), _not_here)
        return {"workflow": self._have_run, **others}

    def stay(self) -> None:
        """Serve requests in this thread: engines know only what the same thread declared."""
        while True:
            request, answers = self._requests.get()
            try:
                answers.put(self._run(request))
            except BaseException as error:  # noqa: BLE001 - the thread is needed again
                answers.put({"error": words_of(error)})

    def _have_run(self, request: Answer) -> Answer:
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._requests.put((request, answers))
        return answers.get()

    def leave(self) -> None:
        """Do nothing: the engine ends with the process."""

    def _names(self, workflow: str) -> contextlib.AbstractContextManager[object]:
        builder: contextlib.AbstractContextManager[object] = self._engine.WorkflowBuilder(
            workflow, tenant=self._tenant, package=self._package, workflow=workflow
        )
        return builder

    def _task(self, **arguments: Any) -> Callable[[Function], Function]:  # noqa: ANN401 - any
        """Replace the engine's decorator, and pass it an observed function."""
        declare = self._declare(**arguments)

        def decorate(function: Function) -> Function:
            id_ = str(arguments.get("id") or getattr(function, "__name__", ""))
            given = self._watched(id_, function)
            declare(given)
            self._tasks[id_] = _Declared(id_, function, given, arguments)
            return function

        return decorate

    def _watched(self, id_: str, function: Function) -> Function:
        """Return a function with the same parameters that reports its begin and end."""
        code = getattr(function, "__code__", None)
        if code is None:
            return function

        def call(*given: object) -> object:
            watch = self._watch
            return function(*given) if watch is None else watch.call(id_, function, given)

        second = code.co_varnames[1] if code.co_argcount > 1 else None
        given = _with_parameters(call, second)
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(given, name, getattr(function, name, None))
        return given

    def _run(self, request: Answer) -> Answer:
        workflow = self._workflow
        if request["only"] is not None:
            workflow = self._declare_alone(self._tasks[request["only"]])
        else:
            refused = _unknown_names(self._tasks.values(), self._prefix(workflow))
            if refused is not None:
                return {"refused": refused}
        home = os.path.join(self._folder, f"engine-{os.urandom(8).hex()}")
        os.mkdir(home, 0o700)
        database = os.path.join(home, "engine.db")
        self._reader.begin(database, self._prefix(workflow))
        can_stall = all(map(_is_seen, self._tasks.values()))
        watch = RunTracker(self._reader, self._report, request, can_stall=can_stall)
        self._watch = watch
        _thread.start_new_thread(watch.follow, ())
        try:
            # Kept: to release a runner takes as long as its threads, and some of those never end.
            self._runner = self._engine.DefaultRunner.with_config(
                f"sqlite://{database}", self._settings(request)
            )
            context = self._engine.Context(json.loads(request["context"]))
            result = self._runner.execute(workflow, context)
        except Exception as error:  # noqa: BLE001 - any error of the engine is its answer
            return {"error": words_of(error), **watch.end()}
        return {
            "status": str(result.status),
            "error": result.error_message,
            "context": result.final_context.to_json(),
            **watch.end(),
        }

    def _prefix(self, workflow: str) -> str:
        return f"{self._tenant}::{self._package}::{workflow}::"

    def _settings(self, request: Answer) -> object:
        settings = {"max_concurrent_tasks": request["jobs"]}
        if request["timeout"] is not None:
            settings["task_timeout_seconds"] = request["timeout"]
        return self._engine.DefaultRunnerConfig(**settings)

    def _declare_alone(self, task: _Declared) -> str:
        """Declare a workflow of this one task, which waits for nothing and runs once."""
        workflow = f"{self._workflow}_{task.id}"
        kept = {
            name: value
            for name, value in task.arguments.items()
            if name not in ("dependencies", "trigger_rules", "retry")
            and not name.startswith("retry_")
        }
        with self._names(workflow):
            self._declare(**{**kept, "id": task.id, "retry_attempts": 1})(task.given)
        return workflow


def _not_here(_: Answer) -> Answer:
    words = "a package in an engine runs only as a workflow of it (`run_in_engine`)"
    return {"succeeded": False, "context": None, "error": words}


def _with_parameters(call: Function, second: str | None) -> Function:
    """Return ``call`` with the parameters by which the engine knows tasks with a handle."""

    def alone(context: object) -> object:
        return call(context)

    def with_handle(context: object, handle: object) -> object:
        return call(context, handle)

    def with_task_handle(context: object, task_handle: object) -> object:
        return call(context, task_handle)

    return {"handle": with_handle, "task_handle": with_task_handle}.get(second or "", alone)


def _refusal(words: str, entry: str) -> LoadFailure:
    """Return why the engine refuses the workflow."""
    if "cannot be empty" in words:
        return LoadFailure("Y004", f"importing `{entry}` registered no tasks")
    code = "G002" if "Missing dependency" in words else "G003" if "yclic" in words else "T003"
    return LoadFailure(code, f"the engine refuses the workflow: {words}")


def _is_seen(task: _Declared) -> bool:
    return task.given is not task.function and not any(map(task.arguments.get, _UNSEEN))


def _described(task: _Declared) -> Answer:
    rules = task.arguments.get("trigger_rules")
    return {
        "id": task.id,
        "dependencies": [
            one if isinstance(one, str) else str(getattr(one, "__name__", one))
            for one in task.arguments.get("dependencies") or ()
        ],
        "description": task.function.__doc__,
        "trigger_rules": None if rules is None else json.dumps(rules),
    }


def _unknown_names(tasks: Any, prefix: str) -> Answer | None:  # noqa: ANN401 - a view
    """Return why the engine would wait forever: a rule that names a task only by its id."""
    tasks = list(tasks)
    known = {prefix + task.id for task in tasks}
    for task in tasks:
        for name in _named(task.arguments.get("trigger_rules")):
            if name not in known:
                full = prefix + name.rpartition("::")[2]
                return {
                    "message": f"the trigger rule of the task `{task.id}` names `{name}`, and the "
                    "engine, which knows tasks only by their full names, would wait forever",
                    "hint": f"write `{full}`, or run it without an engine, where both work",
                }
    return None


def _named(rule: object) -> list[str]:
    """Return the tasks that a rule names."""
    if isinstance(rule, dict):
        own = rule.get("task_name")
        return [*([own] if isinstance(own, str) else []), *_named(list(rule.values()))]
    if isinstance(rule, list):
        return [name for one in rule for name in _named(one)]
    return []
