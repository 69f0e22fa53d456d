"""Imports a Python package in the child process, by the rules of servers.

Source: the loader of the releases from 0.4 to the newest. ``workflow/`` and ``vendor/`` are
appended to the path, so the standard library wins over the package; some of its names are refused;
the package is what is declared during the import of the entry module.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.cloaca_api import module
from cloacina_ctl.runtime.host.cloaca_api.context import Context
from cloacina_ctl.runtime.host.cloaca_api.registry import REGISTRY, DeclaredFor, DeclaredTask
from cloacina_ctl.runtime.host.cloaca_api.tasks import TaskHandle
from cloacina_ctl.runtime.host.cloaca_api.triggers import polled
from cloacina_ctl.runtime.host.host import LoadFailure
from cloacina_ctl.runtime.host.late_reads import watch_late_reads

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = dict[str, Any]

# Top-level names that loaders refuse, in `workflow/` and in `vendor/`.
REFUSED_NAMES = frozenset(
    {
        "os", "sys", "subprocess", "shutil", "socket", "http", "urllib", "ctypes", "importlib",
        "pathlib", "io", "json", "pickle", "marshal", "code", "codeop", "compile", "compileall",
        "builtins", "signal", "multiprocessing", "threading", "tempfile", "glob", "fnmatch",
    }
)  # fmt: skip


def load_modules(order: dict[str, Any], report: Callable[[Answer], None]) -> PythonHost:
    """Import the entry module of ``order`` and return its host. Raises ``LoadFailure``."""
    module.install()
    names = DeclaredFor(order["tenant"], order["package"], order["workflow"])
    REGISTRY.enter(names)
    try:
        import_entry(order)
    finally:
        REGISTRY.leave()
    host = PythonHost(names, order["entry_module"])
    watch_late_reads(order["tree"], report)
    return host


def import_entry(order: dict[str, Any]) -> None:
    """Import the entry module of ``order`` by the servers' rules. Raises ``LoadFailure``."""
    tree, entry = order["tree"], order["entry_module"]
    workflow = os.path.join(tree, "workflow")
    if not os.path.isdir(workflow):
        raise LoadFailure("Y002", "the package has no folder `workflow`")
    vendored = [os.path.join(tree, name) for name in order["vendored"]]
    vendored = [folder for folder in vendored if os.path.isdir(folder)]
    _refuse_names(workflow, *vendored)
    sys.dont_write_bytecode = True
    hidden = _prune(entry.partition(".")[0])
    sys.path += [workflow, *vendored]
    _trees.append(tree)
    _import(entry, hidden, order["declared"])


def _refuse_names(*folders: str) -> None:
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            if name.removesuffix(".py") in REFUSED_NAMES:
                place = f"{os.path.basename(folder)}/{name}"
                raise LoadFailure(
                    "Y003",
                    f"`{place}` has the name of a module of the standard library, which loaders "
                    "refuse",
                    "rename it",
                )


def _prune(top: str) -> list[str]:
    """Remove folders with a module of that name from the path, as loaders do; return them."""
    found = [
        folder
        for folder in sys.path
        if os.path.exists(os.path.join(folder, top, "__init__.py"))
        or os.path.exists(os.path.join(folder, f"{top}.py"))
    ]
    if found:
        import tokenize  # noqa: F401 - to show traces of later failures
    for folder in found:
        sys.path.remove(folder)
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        del sys.modules[name]
    return found


def _import(entry: str, hidden: list[str], declared: dict[str, str]) -> None:
    hint = None
    if hidden:
        hint = "rename its top package: it has a standard module's name, which loaders then hide"
    try:
        __import__(entry)
    except SystemExit as error:
        raise LoadFailure(
            "T003",
            f"importing `{entry}` ends the process: {error!r}",
            'move the code that ends it under `if __name__ == "__main__":`',
        ) from error
    except ModuleNotFoundError as error:
        show(error)
        missing = error.name or "?"
        if entry == missing or entry.startswith(f"{missing}."):
            raise LoadFailure("Y002", f"the entry module is not in the package: {entry}") from error
        raise LoadFailure(
            "T003",
            f"importing `{entry}` needs a missing module: {missing}",
            hint or _install_hint(declared.get(missing.partition(".")[0])),
        ) from error
    except BaseException as error:
        show(error)
        if _lacks_engine_name(error):
            hint = "packages have less of `cloaca`: move code that runs workflows under `__main__`"
        hint = hint or "the trace on standard error shows the place"
        raise LoadFailure("T003", f"importing `{entry}` failed: {words_of(error)}", hint) from error


def _lacks_engine_name(error: BaseException) -> bool:
    """Return whether a name of `cloaca` is missing that the engine's wheel may have."""
    if isinstance(error, AttributeError):
        return "module 'cloaca' has no attribute" in str(error)
    return isinstance(error, ImportError) and error.name == "cloaca"


def _install_hint(distribution: str | None) -> str:
    """Return how to pack a missing module; ``distribution`` is known where it is declared."""
    command = "`cloacina-ctl package PROJECT --vendor`"
    if distribution is not None:
        return f"{distribution} is declared but not in the package: {command} packs it"
    return f"declare its distribution as a dependency of the project, then {command}"


class PythonHost:
    """The declarations of an imported package, ready to be called."""

    def __init__(self, names: DeclaredFor, entry: str) -> None:
        self._workflow, declared = _own_tasks(names)
        self._tasks = {task.id: task for task in declared}
        if not self._tasks and not REGISTRY.reactors and not REGISTRY.graphs:
            raise LoadFailure("Y004", f"importing `{entry}` registered no tasks and no reactors")
        _check_graph(self._tasks)

    def describe(self) -> Answer:
        """Return the declarations."""
        fed = next((graph for graph in REGISTRY.graphs.values() if graph.reactor), None)
        return {
            "interface": {"kind": "python"},
            "workflow": self._workflow,
            "tasks": list(map(_task, self._tasks.values())),
            "triggers": [
                {
                    "name": one.name,
                    "workflow": one.on,
                    "poll_interval": one.poll_interval,
                    "cron": one.cron,
                    "allow_concurrent": one.allow_concurrent,
                }
                for one in REGISTRY.triggers.values()
            ],
            "reactors": [
                {"name": name, "reaction_mode": mode, "inputs": _inputs(accumulators)}
                for name, (accumulators, mode) in REGISTRY.reactors.items()
            ],
            "graph": fed
            and {
                "name": fed.name,
                "reaction_mode": fed.mode,
                "input_strategy": "latest",
                "inputs": _inputs(fed.accumulators),
                "reactor": fed.reactor,
            },
            "callable_graphs": [one.name for one in REGISTRY.graphs.values() if not one.reactor],
        }

    def calls(self) -> dict[str, Callable[[dict[str, Any]], Answer]]:
        """Return the supported requests."""
        return {
            "task": _guarded(lambda request: self._run(self._tasks[request["task"]], request)),
            "trigger": _guarded(_poll),
            "graph": _guarded(self._run_graph),
            "callable_graph": _guarded(_call_graph),
        }

    def leave(self) -> None:
        """Do nothing: modules get no notice of the end."""

    def _run(self, task: DeclaredTask, request: dict[str, Any]) -> Answer:
        original = json.loads(request["context"])
        given: list[object] = [Context(original)]
        if task.takes_handle:
            given.append(TaskHandle())
        try:
            returned = _context_of(task.function(*given), original)
            if task.invokes is not None:
                _invoke(task, returned)
        except BaseException as error:
            _call_back(task.on_failure, task.id, words_of(error), Context(original))
            raise
        _call_back(task.on_success, task.id, Context(returned.to_dict()))
        return {"succeeded": True, "context": returned.to_json(), "error": None}

    def _run_graph(self, request: dict[str, Any]) -> Answer:
        graph = next(graph for graph in REGISTRY.graphs.values() if graph.reactor)
        inputs = {name: json.loads(text) for name, text in request["inputs"].items()}
        return _ended(graph.run(inputs))


def _own_tasks(names: DeclaredFor) -> tuple[str, list[DeclaredTask]]:
    """Return the package's workflow and its tasks, without those of a builder's workflow."""
    by_names: dict[DeclaredFor, list[DeclaredTask]] = {}
    for (declared_for, _), task in REGISTRY.tasks.items():
        by_names.setdefault(declared_for, []).append(task)
    if names not in by_names and by_names:
        others = ", ".join(f"`{one.workflow}`" for one in by_names)
        raise LoadFailure(
            "Y004",
            f"the package is the workflow `{names.workflow}`, which registered no tasks: its tasks "
            f"are of {others}",
            "engines refuse it: declare the tasks without a WorkflowBuilder",
        )
    return names.workflow, by_names.get(names, [])


def _check_graph(tasks: dict[str, DeclaredTask]) -> None:
    for task in tasks.values():
        for need in task.dependencies:
            if need not in tasks:
                raise LoadFailure(
                    "G002", f"the task `{task.id}` depends on `{need}`, which is not a task"
                )
    left = {id_: set(task.dependencies) for id_, task in tasks.items()}
    while left:
        free = [id_ for id_, needs in left.items() if not needs & left.keys()]
        if not free:
            raise LoadFailure("G003", f"tasks that wait for each other: {', '.join(sorted(left))}")
        for id_ in free:
            del left[id_]


def _context_of(returned: object, original: dict[str, Any]) -> Context:
    """Return the context of a task: None means its input, without the task's changes."""
    if returned is None:
        return Context(original)
    if isinstance(returned, Context):
        return returned
    close = getattr(returned, "close", None)
    if close is not None and type(returned).__name__ == "coroutine":
        close()
        raise TypeError(
            "a task cannot be an `async def`: it returned a coroutine, which is never awaited"
        )
    raise TypeError(f"a task returns a Context or None, not {type(returned).__name__}")


def _invoke(task: DeclaredTask, context: Context) -> None:
    ends = REGISTRY.graphs[str(task.invokes)].run({}, context=Context(context.to_dict()))
    for name, value in ends:
        context.set(name, value)
    if task.post_invocation is not None:
        returned = task.post_invocation(Context(context.to_dict()))
        if isinstance(returned, Context):
            context.update_from_dict(returned.to_dict())


def _call_back(function: Callable[..., object] | None, *arguments: object) -> None:
    """Call a callback; its own failure changes nothing."""
    if function is None:
        return
    try:
        function(*arguments)
    except BaseException:  # noqa: BLE001 - as servers do
        traceback.print_exc()


def _poll(request: dict[str, Any]) -> Answer:
    fires, context = polled(REGISTRY.triggers[request["trigger"]].function())
    text = None if context is None else json.dumps(context)
    return {"succeeded": True, "fires": fires, "context": text, "error": None}


def _call_graph(request: dict[str, Any]) -> Answer:
    context = Context(json.loads(request["context"]))
    return _ended(REGISTRY.graphs[request["graph"]].run({}, context=context))


def _ended(ends: list[tuple[str, Any]]) -> Answer:
    return {"succeeded": True, "outputs": [json.dumps(value) for _, value in ends], "error": None}


def _guarded(
    call: Callable[[dict[str, Any]], Answer],
) -> Callable[[dict[str, Any]], Answer]:
    """Return ``call`` with any exception turned into its answer, and the trace on stderr."""

    def guarded(request: dict[str, Any]) -> Answer:
        try:
            return call(request)
        except BaseException as error:  # noqa: BLE001 - any exception is the task's failure
            show(error)
            return {"succeeded": False, "context": None, "error": words_of(error)}

    return guarded


def words_of(error: BaseException) -> str:
    """Return kind and text of an exception, in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def show(error: BaseException) -> None:
    """Print the trace of an exception with paths in the package, without this program's frames."""
    trace = traceback.TracebackException.from_exception(error)
    _leave_out_own_frames(trace)
    text = "".join(trace.format())
    for tree in _trees:
        text = text.replace(tree + os.sep, "")
    sys.stderr.write(text)


def _leave_out_own_frames(trace: traceback.TracebackException) -> None:
    waiting, seen = [trace], set()
    for one in waiting:  # grows during the loop
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack[:] = [frame for frame in one.stack if not _is_own(frame.filename)]
        others = (one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ()))
        waiting += [other for other in others if other is not None]


def _is_own(file: str) -> bool:
    return file.startswith(("<frozen", _HERE))


_HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_trees: list[str] = []  # of the package that is loaded, as soon as it is


def _task(task: DeclaredTask) -> Answer:
    rules = task.trigger_rules
    return {
        "id": task.id,
        "dependencies": list(task.dependencies),
        "description": task.function.__doc__,
        "trigger_rules": None if rules is None else json.dumps(rules),
        "needs_handle": task.takes_handle,
        "retry": task.retry,
    }


def _inputs(names: tuple[str, ...]) -> list[Answer]:
    declared = REGISTRY.accumulators
    return [
        {"name": name, "type": kind, "config": config}
        for name in names
        for kind, config in (declared.get(name, ("passthrough", {})),)
    ]
