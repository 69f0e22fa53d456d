"""Public: load and run packages in a child process, and schedule the tasks of a workflow.

``package`` verifies and loads · ``session`` a loaded package · ``loading`` loads verified bytes ·
``metadata`` what the code declares · ``consistency`` compares that with the manifest ·
``process`` the child process, seen from the parent · ``host`` the code inside the child ·
``scheduler`` the order of the tasks · ``engine`` and ``engine_run`` runs by the engine's wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.runtime.loading import load as load
    from cloacina_ctl.runtime.loading import load_library as load_library
    from cloacina_ctl.runtime.loading import take_native as take_native
    from cloacina_ctl.runtime.metadata import GraphOutcome as GraphOutcome
    from cloacina_ctl.runtime.metadata import PackageMetadata as PackageMetadata
    from cloacina_ctl.runtime.metadata import TaskOutcome as TaskOutcome
    from cloacina_ctl.runtime.metadata import TriggerOutcome as TriggerOutcome
    from cloacina_ctl.runtime.package import RunnablePackage as RunnablePackage
    from cloacina_ctl.runtime.package import VerificationPolicy as VerificationPolicy
    from cloacina_ctl.runtime.package import open_package as open_package
    from cloacina_ctl.runtime.process.child import HostLimits as HostLimits
    from cloacina_ctl.runtime.process.child import HostOptions as HostOptions
    from cloacina_ctl.runtime.scheduler.run import RunOptions as RunOptions
    from cloacina_ctl.runtime.scheduler.run import run_task as run_task
    from cloacina_ctl.runtime.scheduler.run import run_workflow as run_workflow
    from cloacina_ctl.runtime.session import Preparation as Preparation
    from cloacina_ctl.runtime.session import Session as Session

_HOMES = {
    **dict.fromkeys(
        ("PackageMetadata", "GraphOutcome", "TaskOutcome", "TriggerOutcome"), "metadata"
    ),
    **dict.fromkeys(("HostLimits", "HostOptions"), "process.child"),
    **dict.fromkeys(("load", "load_library", "take_native"), "loading"),
    **dict.fromkeys(("RunnablePackage", "VerificationPolicy", "open_package"), "package"),
    **dict.fromkeys(("RunOptions", "run_task", "run_workflow"), "scheduler.run"),
    **dict.fromkeys(("Preparation", "Session"), "session"),
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names of the table


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
