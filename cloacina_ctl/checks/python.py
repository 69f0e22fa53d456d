"""The rules for Python projects, checked from their text alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cloacina_ctl.checks import other_python, rule_names
from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.project.python.provided import standard_wins
from cloacina_ctl.project.python.stdlib_names import pythons_with
from cloacina_ctl.releases.table import SHADOWED_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.project.model import Project, PythonFacts, SourceTask

RULES: RuleSet[Project] = RuleSet()


def _facts(project: Project) -> PythonFacts:
    facts = project.python
    if facts is None:
        raise TypeError("these rules are for a Python project")
    return facts


def _tasks(project: Project) -> Iterator[SourceTask]:
    for workflow in project.workflows:
        yield from workflow.tasks


@RULES.rule(Code.NO_ENTRY_MODULE)
def no_entry_module(project: Project) -> Iterator[Finding]:
    """Without an entry module an engine does not know what to import."""
    facts = _facts(project)
    if facts.entry_module is None:
        several = f": tasks are in {', '.join(facts.candidates)}" if facts.candidates else ""
        yield Finding(
            f"the project does not say which module declares its tasks{several}",
            project.config.place,
            'set `entry_module = "package.module"` in [tool.cloacina]',
        )


@RULES.rule(Code.ENTRY_MODULE_MISSING)
def entry_module_missing(project: Project) -> Iterator[Finding]:
    """The entry module has to be a file of the project."""
    facts = _facts(project)
    if facts.entry_module is not None and facts.entry_path is None:
        yield Finding(
            f"the entry module is not there: {facts.entry_module}",
            project.config.place,
            f"searched folders: {', '.join(root or '.' for root in facts.roots) or '.'}"
            + (f", by {facts.declared_by}" if facts.declared_by else "")
            + ("" if facts.declared_by else "; `source_root` names another folder"),
        )


@RULES.rule(Code.SHADOWED_NAME)
def shadowed_name(project: Project) -> Iterator[Finding]:
    """A top-level name that the engines refuse, or that another module of the name hides."""
    facts = _facts(project)
    minors = partial(other_python.minors_of, _requires(project))
    entry = (facts.entry_module or "").partition(".")[0]
    for folder, names in (("workflow", facts.top_level), ("vendor", facts.vendored)):
        for name in names:
            if name == "cloaca":
                message = f"`{name}` in {folder}/ takes the place of the engine's own module"
                yield Finding(message, name, "remove it: the engine provides it")
            elif name in SHADOWED_NAMES:
                message = (
                    f"`{name}` in {folder}/ has the name of a standard module; engines refuse it"
                )
                yield Finding(message, name, "give it another name")
            elif name == entry and folder == "workflow":
                yield from _standard_entry(name, minors())
            elif standard_wins(name, minors):
                message = f"`{name}` in {folder}/ is never imported: the standard module wins"
                yield Finding(message, name, "give it another name", Severity.WARNING)


def _standard_entry(name: str, minors: Iterable[int]) -> Iterator[Finding]:
    """Yield the problem of an entry module whose first name is that of a standard module.

    Loaders remove the folders with that name from the path, so it is imported, but little else is.
    """
    known = [f"3.{minor}" for minor in minors if minor in pythons_with(name)]
    if known:
        message = (
            f"the entry module's first name `{name}` is that of a standard module of Python "
            f"{', '.join(known)}: engines hide that module, and with it the standard library"
        )
        yield Finding(message, name, "give it another name", Severity.WARNING)


@RULES.rule(Code.NO_PYTHON_TASK)
def no_python_task(project: Project) -> Iterator[Finding]:
    """Every engine refuses a package whose entry module registers nothing."""
    facts = _facts(project)
    silent = not (any(_tasks(project)) or facts.graphs)
    if facts.entry_path is not None and not facts.syntax_problems and silent:
        yield Finding(
            "the entry module and what it imports declare no task",
            facts.entry_path,
            "decorate a function with `@cloaca.task()`",
        )


@RULES.rule(Code.ASYNC_TASK)
def async_task(project: Project) -> Iterator[Finding]:
    """A coroutine is not a result: the engine fails the task."""
    for task in _tasks(project):
        if task.is_async:
            message = (
                f"the task `{task.id or task.function}` is `async def`; it would fail when it runs"
            )
            yield Finding(message, task.place, "make it a plain function; use `asyncio.run` inside")


@RULES.rule(Code.PYTHON_SYNTAX)
def python_syntax(project: Project) -> Iterator[Finding]:
    """A file that cannot be parsed cannot be imported either."""
    facts, requires = _facts(project), _requires(project)
    for problem in facts.syntax_problems:
        if not other_python.is_for_newer(problem, requires, packed=facts.packed):
            yield Finding(*other_python.refused(problem, requires))


@RULES.rule(Code.NOT_CHECKED)
def not_checked(project: Project) -> Iterator[Finding]:
    """A Python that does not know the syntax cannot check the source."""
    facts, requires = _facts(project), _requires(project)
    for problem in facts.syntax_problems:
        if other_python.is_for_newer(problem, requires, packed=facts.packed):
            severity = Severity.WARNING if facts.packed else Severity.ERROR
            yield Finding(*other_python.not_checked(problem, requires), severity)


@RULES.rule(Code.OLDER_PYTHON)
def older_python(project: Project) -> Iterator[Finding]:
    """Importing it raises `SyntaxError` on a Python that the project claims to support."""
    facts = _facts(project)
    severity = Severity.WARNING if facts.packed else Severity.ERROR
    for found in other_python.too_new(facts.newer_syntax, _requires(project)):
        yield found._replace(severity=severity)


@RULES.rule(Code.TASK_VALUE)
def task_value(project: Project) -> Iterator[Finding]:
    """Ids and dependencies have to be readable without running the code; the rest should be."""
    for task in _tasks(project):
        for name in task.unreadable_arguments:
            needed = name in ("id", "dependencies")
            severity = Severity.ERROR if needed else Severity.WARNING
            what = "`**`" if name == "**" else f"`{name}`"
            message = (
                f"{what} of the task `{task.id or task.function}` cannot be read without running it"
            )
            yield Finding(message, task.place, "write the value itself", severity)


@RULES.rule(Code.TASK_CALL)
def task_call(project: Project) -> Iterator[Finding]:
    """`@task` without parentheses passes the function to a parameter and registers nothing."""
    for task in _tasks(project):
        if not task.is_called:
            message = f"`@task` without parentheses on `{task.function}`"
            yield Finding(message, task.place, "write `@cloaca.task()`")


@RULES.rule(Code.PYTHON_TASK_ARGUMENT)
def task_argument(project: Project) -> Iterator[Finding]:
    """An argument that the decorator does not know raises when the module is imported."""
    for task in _tasks(project):
        for name in task.unknown_arguments:
            yield Finding(f"`task` takes no argument `{name}`", task.place)


@RULES.rule(Code.SHORT_RULE, Severity.WARNING)
def short_rule(project: Project) -> Iterator[Finding]:
    """Engines compare the names in a rule with full names."""
    for task in _tasks(project):
        names = rule_names.short_names(task.trigger_rules or "")
        if names:
            message = rule_names.words(task.id or task.function, names)
            yield Finding(message, task.place, rule_names.HINT)


@RULES.rule(Code.HIDDEN_TASK)
def hidden_task(project: Project) -> Iterator[Finding]:
    """A task that the source does not show would be missing from the manifest."""
    for place in _facts(project).hidden_tasks:
        yield Finding(
            "a task or trigger that is known only when the code runs",
            place,
            "declare it with a decorator at the top of a module, with literal arguments",
        )


@RULES.rule(Code.NO_INIT, Severity.WARNING)
def no_init(project: Project) -> Iterator[Finding]:
    """Engines from 0.10 on do not reload packages without `__init__.py`."""
    facts = _facts(project)
    for folder in facts.packages_without_init:
        yield Finding(
            "a package folder without `__init__.py`",
            folder,
            "add an empty one, unless a dependency has modules in a folder of this name",
        )
    for folder in facts.namespaces:
        message = "a namespace package: engines from 0.10 on do not reload its modules"
        yield Finding(message, folder, severity=Severity.NOTE)


@RULES.rule(Code.BUILD_PATTERN, Severity.WARNING)
def build_pattern(project: Project) -> Iterator[Finding]:
    """A difference between the files of the wheel and of the package is reported."""
    facts = _facts(project)
    for pattern in facts.unread_patterns:
        yield Finding(
            f"a pattern that names no folder or module is ignored: {pattern}",
            facts.declared_by or None,
            "name the folders of the modules: `source_root` in [tool.cloacina]",
        )


@RULES.rule(Code.WORKFLOW_BUILDER)
def workflow_builder(project: Project) -> Iterator[Finding]:
    """The loader makes the workflow itself, and does not find tasks of a builder."""
    facts = _facts(project)
    for place in facts.workflow_builders:
        yield Finding(
            "the module builds its workflow itself: engines find none of its tasks",
            place,
            "declare the tasks at the top of the module, without a builder; `workflow_name` names "
            "the workflow",
        )
    for place in facts.loose_builders:
        message = "a packaged module must not build its workflow itself"
        yield Finding(message, place, "declare tasks only", Severity.WARNING)


@RULES.rule(Code.LIBRARY_ONLY)
def library_only(project: Project) -> Iterator[Finding]:
    """Servers provide their own `cloaca`, which declares tasks but does not run them."""
    for place, name in _facts(project).library_only:
        yield Finding(
            f"importing the module needs `cloaca.{name}`, which packages do not have",
            place,
            'use it only under `if __name__ == "__main__":`, and import it there',
        )


def _requires(project: Project) -> str | None:
    return project.requires.python if project.requires else None
