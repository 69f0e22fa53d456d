"""Public: load and run packages: plugin hosts in a child process, and a local scheduler.

``package`` verify and load · ``session`` a loaded package · ``opening`` from verified bytes to it ·
``material`` what a child is given · ``conversation`` what is asked of a child · ``isolation`` the
child process, ``death`` whether it is gone · ``described``, ``answers`` and ``results`` what it
says · ``comparing`` whether that is what the manifest says · ``frames``, ``incoming``, ``wire`` and
``plugin_types`` bytes on the way · ``child`` and all of its name, and ``authoring``, run in the
child alone · ``choosing``, ``schedule`` and ``run`` a workflow · ``engine`` and ``engine_run`` have
the wheel of the real engine do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.runtime.described import Described as Described
    from cloacina_ctl.runtime.described import GraphOutcome as GraphOutcome
    from cloacina_ctl.runtime.described import TaskOutcome as TaskOutcome
    from cloacina_ctl.runtime.described import TriggerOutcome as TriggerOutcome
    from cloacina_ctl.runtime.isolation import HostLimits as HostLimits
    from cloacina_ctl.runtime.isolation import HostOptions as HostOptions
    from cloacina_ctl.runtime.opening import load as load
    from cloacina_ctl.runtime.opening import load_library as load_library
    from cloacina_ctl.runtime.opening import take_native as take_native
    from cloacina_ctl.runtime.package import Loaded as Loaded
    from cloacina_ctl.runtime.package import Rule as Rule
    from cloacina_ctl.runtime.package import open_package as open_package
    from cloacina_ctl.runtime.run import RunOptions as RunOptions
    from cloacina_ctl.runtime.run import run_task as run_task
    from cloacina_ctl.runtime.run import run_workflow as run_workflow
    from cloacina_ctl.runtime.session import Preparation as Preparation
    from cloacina_ctl.runtime.session import Session as Session

_HOMES = {
    **dict.fromkeys(("Described", "GraphOutcome", "TaskOutcome", "TriggerOutcome"), "described"),
    **dict.fromkeys(("HostLimits", "HostOptions"), "isolation"),
    **dict.fromkeys(("load", "load_library", "take_native"), "opening"),
    **dict.fromkeys(("Loaded", "Rule", "open_package"), "package"),
    **dict.fromkeys(("RunOptions", "run_task", "run_workflow"), "run"),
    **dict.fromkeys(("Preparation", "Session"), "session"),
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names of the table


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
