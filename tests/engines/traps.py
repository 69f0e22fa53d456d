"""The traps: packages that look right to the one who made them, and what becomes of them.

One function a trap builds the archive; the docstring is what its maker did. Verdicts are in
`test_traps.py`.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from tests.engines.stock import FILES, HEADER, METADATA, TASKS, TOP, member, package, tar

if TYPE_CHECKING:
    from collections.abc import Callable


class Trap(NamedTuple):
    """``since``: the first release that does not run it; ``code``: how we call it."""

    build: Callable[[], bytes]
    since: str | None
    code: str | None
    remark: str = ""

    @property
    def name(self) -> str:
        return self.build.__name__

    @property
    def title(self) -> str:
        return (self.build.__doc__ or "").strip()


def _with(text: str) -> bytes:
    return package({**FILES, "package.toml": text.encode()})


def two_streams() -> bytes:
    """Compressed with a program that uses all processors and writes a stream for each."""
    whole = tar()
    cut = whole.index(f"{TOP}/workflow/trap/tasks.py".encode())  # a header begins with the name
    return bz2.compress(whole[:cut]) + bz2.compress(whole[cut:])


def gzipped() -> bytes:
    """Compressed with `tar -z`, as for 0.2 and 0.3."""
    return gzip.compress(tar(), mtime=0)


def xz() -> bytes:
    """Compressed with `tar -J`."""
    return lzma.compress(tar())


def not_compressed() -> bytes:
    """Not compressed at all."""
    return tar()


def symbolic_link() -> bytes:
    """A shared module is a symbolic link."""
    link = member(f"{TOP}/workflow/trap/more.py", type=tarfile.SYMTYPE, linkname="tasks.py")
    return package(more=[link])


def hard_link() -> bytes:
    """Two equal files became one and a hard link, as tar does by default."""
    target = f"{TOP}/workflow/trap/tasks.py"
    link = member(f"{TOP}/workflow/trap/more.py", type=tarfile.LNKTYPE, linkname=target)
    return package(more=[link])


def parent_folder() -> bytes:
    """A member climbs out with `..`."""
    return package(more=[member(f"{TOP}/../outside.py", b"X = 1\n")])


def absolute_name() -> bytes:
    """A member has an absolute name."""
    return package(more=[member("/tmp/outside.py", b"X = 1\n")])


def ratio() -> bytes:
    """A table of zeros is packed: all files together are more than ten times the package."""
    return package({**FILES, "workflow/trap/table.csv": b"0,0,0,0\n" * 20_000})


def entries() -> bytes:
    """10 001 small files."""
    many = {f"workflow/trap/data/{n:05}.bin": os.urandom(16) for n in range(10_001 - len(FILES))}
    return package({**FILES, **many})


def flat() -> bytes:
    """`tar -cj *` inside of the project: no folder around the files."""
    return package(top="")


def too_deep() -> bytes:
    """`tar -cj` from two folders above: two folders around the files."""
    return package(top=f"builds/{TOP}")


def unknown_key() -> bytes:
    """A key of one's own under `[metadata]`."""
    return _with(HEADER + METADATA + 'owner = "team-blue"\n')


def package_type() -> bytes:
    """`package_type`, which 0.5 has and later releases have not."""
    return _with(HEADER + METADATA + 'package_type = ["workflow"]\n')


def minimal_manifest() -> bytes:
    """A manifest as short as `cloacinactl package new` of 0.10 leaves it, packed by hand."""
    return _with('[package]\nname = "trap"\nversion = "1.0.0"\n')


def no_language() -> bytes:
    """A manifest without a language."""
    return _with(HEADER + METADATA.replace('language = "python"\n', ""))


def capital_language() -> bytes:
    """`language = "Python"`."""
    return _with(HEADER + METADATA.replace('"python"', '"Python"'))


def shadowed_name() -> bytes:
    """A module of one's own is called `json.py`."""
    return package({**FILES, "workflow/json.py": b"X = 1\n"})


def shadowed_in_vendor() -> bytes:
    """A vendored folder is called `http`."""
    return package({**FILES, "vendor/http/__init__.py": b"X = 1\n"})


def no_workflow_folder() -> bytes:
    """The modules lie at the top of the package."""
    moved = {name.replace("workflow/", ""): data for name, data in FILES.items()}
    return package(moved)


def no_tasks() -> bytes:
    """The entry module imports cloaca and declares no task."""
    return package({**FILES, "workflow/trap/tasks.py": b"import cloaca\n"})


def no_entry_module() -> bytes:
    """The entry module is called otherwise."""
    return _with(HEADER + METADATA.replace("trap.tasks", "trap.main"))


def late_file() -> bytes:
    """A task opens a file of the package when it runs."""
    late = TASKS.replace(
        "    context.set",
        '    open(__file__.replace("tasks.py", "__init__.py"), encoding="utf-8").close()\n'
        "    context.set",
    )
    return package({**FILES, "workflow/trap/tasks.py": late.encode()})


def missing_dependency() -> bytes:
    """A task depends on one that is not there."""
    broken = TASKS.replace('id="count"', 'id="count", dependencies=["read"]')
    return package({**FILES, "workflow/trap/tasks.py": broken.encode()})


def sound() -> bytes:
    """Nothing is wrong with it: the measure for all the others."""
    return package()


LATE = "from 0.10 on it can be uploaded, and then does not load"
TRAPS = (
    Trap(sound, None, None),
    Trap(gzipped, "0.4.0", "A021"),
    Trap(xz, "0.4.0", "A001"),
    Trap(not_compressed, "0.4.0", "A001"),
    Trap(two_streams, "0.4.0", "A019"),
    Trap(flat, "0.4.0", "A021"),
    Trap(too_deep, "0.4.0", "A021"),
    Trap(symbolic_link, "0.6.1", "A020"),
    Trap(hard_link, "0.6.1", "A020"),
    Trap(parent_folder, "0.6.1", "A015"),
    Trap(absolute_name, "0.6.1", "A015"),
    Trap(ratio, "0.6.1", "A024"),
    Trap(entries, "0.6.1", "L001"),
    Trap(minimal_manifest, "0.4.0", "M016", LATE),
    Trap(no_language, "0.4.0", "M016", LATE),
    Trap(capital_language, "0.4.0", "M016"),
    Trap(unknown_key, "0.6.1", "M016"),
    Trap(package_type, "0.6.1", "M016"),
    Trap(no_workflow_folder, "0.4.0", "M011"),
    Trap(no_entry_module, "0.4.0", "Y002"),
    Trap(shadowed_name, "0.4.0", "Y003"),
    Trap(shadowed_in_vendor, "0.4.0", "Y003"),
    Trap(no_tasks, "0.4.0", "Y004"),
    Trap(missing_dependency, "0.4.0", "G002"),
    Trap(late_file, "0.5.1", None),
)
