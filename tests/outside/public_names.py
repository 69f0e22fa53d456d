"""What a Python program imports: functions with their parameters, classes with their fields.

For each module of `operations`, and for `runtime`, `manifest` and `errors`: what it defines itself,
or names in `__all__`; and every code.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PAGE = Path(__file__).parent / "public_names.txt"
PACKAGES = ("cloacina_ctl.operations",)
MODULES = ("cloacina_ctl.runtime", "cloacina_ctl.manifest", "cloacina_ctl.errors")


def public_names() -> str:
    """Return one line for each public name."""
    lines = [line for module in _modules() for line in _lines(module)]
    lines += [f"{Code.__module__}.Code.{code.name} = {code.value}" for code in Code]
    return "".join(f"{line}\n" for line in lines)


def _modules() -> Iterator[ModuleType]:
    for package in map(import_module, PACKAGES):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not found.ispkg:  # the steps of a verb are its own business
                yield import_module(found.name)
    yield from map(import_module, MODULES)


def _lines(module: ModuleType) -> Iterator[str]:
    named = getattr(module, "__all__", None)
    for name in sorted(named or vars(module)):
        value = getattr(module, name)
        own = getattr(value, "__module__", None) == module.__name__
        if named or (own and not name.startswith("_")):
            yield f"{module.__name__}.{name}{_shape(value)}"


def _shape(value: object) -> str:
    """Return the parameters of a function, the fields of a tuple, the members of an enumeration."""
    if inspect.isfunction(value):
        return f"({', '.join(map(_parameter, inspect.signature(value).parameters.values()))})"
    fields = getattr(value, "_fields", ())
    return f" [{', '.join(fields)}]" if fields else ""


def _parameter(parameter: inspect.Parameter) -> str:
    mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    return f"{mark}{parameter.name}{'' if parameter.default is parameter.empty else '='}"
