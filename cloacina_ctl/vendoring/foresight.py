"""Predicts the problems of vendoring a project, from its text; nothing is chosen or fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cloacina_ctl.errors import Diagnostic, FileProblem, Refused
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import contradiction, unavailable
from cloacina_ctl.vendoring.declared.requirements import read_requirements
from cloacina_ctl.vendoring.elsewhere import unread_dependencies
from cloacina_ctl.vendoring.fresh import unknown_indexes
from cloacina_ctl.vendoring.installers.configuration import users
from cloacina_ctl.vendoring.locks.lock import read_lock
from cloacina_ctl.vendoring.rules import read_rules
from cloacina_ctl.vendoring.target import PYTHONS, PythonTarget, accepted_pythons

if TYPE_CHECKING:
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.vendoring.declared.origins import Origin
    from cloacina_ctl.vendoring.rules import ResolutionRules

_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64")


class Foresight(NamedTuple):
    """The problems that vendoring would meet.

    ``unreadable`` stops it at once. ``broken`` are folders with another project than the stated
    one, ``needing`` are dependencies for which a wheel has to be given; ``unread`` are those that
    would be ignored.
    """

    unreadable: tuple[Diagnostic, ...] = ()
    broken: tuple[Diagnostic, ...] = ()
    needing: tuple[Diagnostic, ...] = ()
    unread: tuple[Diagnostic, ...] = ()


def foresee(project: Project) -> Foresight:
    """Return the problems of vendoring the project. Unreadable files raise nothing."""
    try:
        requirements = read_requirements(project)
        rules = read_rules(project, requirements)
        lock = read_lock(project.root)
    except (Refused, FileProblem) as error:
        return Foresight(error.diagnostics)
    direct = {str(canonicalize_name(Requirement(text).name)) for text in requirements.texts}
    origins = [one for one in _private(project, rules) if one.name in direct]
    locked = lock.inputs if lock is not None else ()
    needing = [unavailable(one) for one in origins if one.wheel is None and one.text not in locked]
    if rules.lock is None and project.config.wheelhouse is None and requirements.texts:
        needing += unknown_indexes(rules, users())
    return Foresight(
        broken=tuple(found for one in origins if (found := contradiction(one)) is not None),
        needing=tuple(needing),
        unread=tuple(unread_dependencies(project.root, requirements)),
    )


def _private(project: Project, rules: ResolutionRules) -> list[Origin]:
    """Return the origins that apply to at least one Python of the project."""
    requires = project.requires.python if project.requires else None
    targets = [
        PythonTarget(python, platform)
        for python in (*accepted_pythons(requires), PYTHONS[-1])
        for platform in _PLATFORMS
    ]
    found: dict[Origin, None] = {}
    for target in targets:
        found.update(dict.fromkeys(rules.private_on([target]).values()))
    return list(found)
