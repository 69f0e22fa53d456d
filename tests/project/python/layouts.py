"""Projects whose build configuration says where their modules lie, and the modules of the wheel."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.trees import TASK

SETUPTOOLS = "setuptools.build_meta"
HATCH, POETRY, PDM = "hatchling.build", "poetry.core.masonry.api", "pdm.backend"
FLIT, UV = "flit_core.buildapi", "uv_build"


class Layout(NamedTuple):
    """A back end, its configuration, the project's files, and the wheel's modules."""

    back_end: str
    config: str
    files: dict[str, str]
    modules: set[str]


def modules(folder: str, *names: str) -> dict[str, str]:
    """Return a package: the names of its modules, with `__init__.py` in each folder of it."""
    files = {f"{folder}/__init__.py": '"""Demo."""\n__version__ = "1.0"\n'}
    for name in names:
        path = f"{folder}/{name}.py"
        files[path] = TASK if name == "tasks" else ""
        if "/" in name:
            files[f"{path.rpartition('/')[0]}/__init__.py"] = ""
    return files


P0 = {"p0/__init__.py", "p0/tasks.py"}
LAYOUTS = {
    "setuptools where": Layout(
        SETUPTOOLS,
        '[tool.setuptools.packages.find]\nwhere = ["lib"]\n',
        {**modules("lib/p0", "tasks"), "lib/loose.py": "", "other/x.py": ""},
        P0,
    ),
    "setuptools include and exclude": Layout(
        SETUPTOOLS,
        '[tool.setuptools.packages.find]\nwhere = ["lib"]\ninclude = ["p0*"]\n'
        'exclude = ["p0.bench*"]\n',
        {**modules("lib/p0", "tasks", "bench/slow"), **modules("lib/q", "x")},
        P0,
    ),
    "setuptools inner package of an excluded one": Layout(
        SETUPTOOLS,
        '[tool.setuptools.packages.find]\nwhere = ["lib"]\nexclude = ["p0.bench"]\n',
        modules("lib/p0", "tasks", "bench/slow", "bench/deep/x"),
        {*P0, "p0/bench/deep/__init__.py", "p0/bench/deep/x.py"},
    ),
    "setuptools find without a folder": Layout(
        SETUPTOOLS,
        '[tool.setuptools.packages.find]\nexclude = ["tests*"]\n',
        {**modules("p0", "tasks"), **modules("tests", "x")},
        P0,
    ),
    "setuptools finds a namespace by itself": Layout(
        SETUPTOOLS,
        "",
        {**modules("acme/etl", "tasks"), **modules("tests/inner", "x")},
        {"acme/etl/__init__.py", "acme/etl/tasks.py"},
    ),
    "pdm finds no namespace by itself": Layout(
        PDM,
        "",
        {**modules("p0", "tasks"), **modules("docs_src/first", "x")},
        P0,
    ),
    "setuptools package-dir": Layout(
        SETUPTOOLS,
        '[tool.setuptools]\npackages = ["p0", "p0.sub"]\npackage-dir = {p0 = "code/first"}\n'
        'py-modules = ["extra"]\n',
        {**modules("code/first", "tasks", "sub/x", "left/y"), "extra.py": ""},
        {*P0, "p0/sub/__init__.py", "p0/sub/x.py", "extra.py"},
    ),
    "setuptools package-dir alone": Layout(
        SETUPTOOLS,
        '[tool.setuptools]\npackage-dir = {"" = "python"}\n',
        {**modules("python/p0", "tasks"), "other/x.py": ""},
        P0,
    ),
    "setuptools two places": Layout(
        SETUPTOOLS,
        '[tool.setuptools.packages.find]\nwhere = ["lib", "more"]\n',
        {**modules("lib/p0", "tasks"), **modules("more/q", "x")},
        {*P0, "q/__init__.py", "q/x.py"},
    ),
    "setup.cfg": Layout(
        SETUPTOOLS,
        "",
        {
            "setup.cfg": "[options]\npackage_dir =\n    = lib\npackages = find:\n"
            "[options.packages.find]\nwhere = lib\nexclude =\n    p0.bench*\n",
            **modules("lib/p0", "tasks", "bench/slow"),
            "lib/loose/no_init.py": "",
        },
        P0,
    ),
    "setup.cfg find without a folder": Layout(
        SETUPTOOLS,
        "",
        {"setup.cfg": "[options]\npackages = find:\n", **modules("p0", "tasks")},
        P0,
    ),
    "hatch packages": Layout(
        HATCH,
        '[tool.hatch.build.targets.wheel]\npackages = ["src/python/p0"]\n',
        {**modules("src/python/p0", "tasks"), "src/typescript/a.ts": "", "src/python/q.py": ""},
        P0,
    ),
    "hatch exclude": Layout(
        HATCH,
        '[tool.hatch.build]\nexclude = ["src/p0/bench"]\n',
        modules("src/p0", "tasks", "bench/slow"),
        P0,
    ),
    "hatch exclude of the wheel in the place of the general one": Layout(
        HATCH,
        '[tool.hatch.build]\nexclude = ["src/p0/back.py"]\n'
        '[tool.hatch.build.targets.wheel]\nexclude = ["src/p0/bench"]\n',
        modules("src/p0", "tasks", "back", "bench/slow"),
        {*P0, "p0/back.py"},
    ),
    "hatch only-include and sources": Layout(
        HATCH,
        '[tool.hatch.build.targets.wheel]\nonly-include = ["lib/p0", "code/extra.py"]\n'
        'sources = ["lib", "code"]\n',
        {**modules("lib/p0", "tasks"), "code/extra.py": "", "code/left.py": ""},
        {*P0, "extra.py"},
    ),
    "hatch sources with another name": Layout(
        HATCH,
        '[tool.hatch.build.targets.wheel]\nonly-include = ["code/first"]\n'
        '[tool.hatch.build.targets.wheel.sources]\n"code/first" = "p0"\n',
        modules("code/first", "tasks"),
        P0,
    ),
    "hatch include": Layout(
        HATCH,
        '[tool.hatch.build.targets.wheel]\ninclude = ["/lib/p0"]\nsources = ["lib"]\n',
        {**modules("lib/p0", "tasks"), "lib/q.py": ""},
        P0,
    ),
    "poetry from": Layout(
        POETRY,
        '[tool.poetry]\npackages = [{include = "p0", from = "lib"}]\nexclude = ["lib/p0/bench"]\n',
        {**modules("lib/p0", "tasks", "bench/slow"), **modules("lib/q", "x")},
        P0,
    ),
    "poetry to": Layout(
        POETRY,
        '[tool.poetry]\npackages = [{include = "etl", from = "lib", to = "acme"}, '
        '{include = "dev", from = "lib", format = "sdist"}]\n',
        {**modules("lib/etl", "tasks"), **modules("lib/dev", "x")},
        {"acme/etl/__init__.py", "acme/etl/tasks.py"},
    ),
    "pdm package-dir": Layout(
        PDM,
        '[tool.pdm.build]\npackage-dir = "lib"\nexcludes = ["lib/p0/bench"]\n',
        modules("lib/p0", "tasks", "bench/slow"),
        P0,
    ),
    "pdm includes": Layout(
        PDM,
        '[tool.pdm.build]\npackage-dir = "lib"\nincludes = ["lib/p0"]\n',
        {**modules("lib/p0", "tasks"), **modules("lib/q", "x")},
        P0,
    ),
    "flit module": Layout(
        FLIT,
        '[tool.flit.module]\nname = "p0"\n',
        {**modules("src/p0", "tasks"), **modules("src/q", "x")},
        P0,
    ),
    "uv module-root": Layout(
        UV,
        '[tool.uv.build-backend]\nmodule-root = "python"\nmodule-name = "p0"\n'
        'wheel-exclude = ["bench"]\n',
        {**modules("python/p0", "tasks", "bench/slow"), **modules("python/q", "x")},
        P0,
    ),
    "uv several modules at the top": Layout(
        UV,
        '[tool.uv.build-backend]\nmodule-root = ""\nmodule-name = ["p0", "acme.etl"]\n',
        {**modules("p0", "tasks"), **modules("acme/etl", "x"), **modules("q", "x")},
        {*P0, "acme/etl/__init__.py", "acme/etl/x.py"},
    ),
}


def project(layout: Layout) -> dict[str, str]:
    """Return the files of the project."""
    head = '[project]\nname = "p0"\nversion = "1.0"\ndescription = "Demo"\n'
    build = f'[build-system]\nrequires = []\nbuild-backend = "{layout.back_end}"\n'
    return {"pyproject.toml": head + build + layout.config, "README.md": "Demo\n", **layout.files}
