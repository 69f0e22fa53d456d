"""Which members a package of each generation has: judged while they come, and at the end."""

from __future__ import annotations

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import DISCARD
from tests.support import archives
from tests.support.archives import END, entry, folder, gz, pretty, source_tar
from tests.support.legacy import library, source, v1_manifest

SOURCE = source_tar()[: -len(END)]
V1 = entry("manifest.json", pretty(v1_manifest())) + entry("libdemo.so", library())
V2_RUST = pretty(archives.v2_manifest(language="rust", rust={"library_path": "lib/x.so"}))

BAD = {
    "no package.toml": (
        source({"x": b""}),
        "a bzip2 tar, but not a Cloacina package: it has no package.toml in its top folder",
    ),
    "a file beside": (archives.bz2(SOURCE + entry("x") + END), "a file beside the top folder: x"),
    "two folders": (
        archives.bz2(SOURCE + folder("other") + END),
        "two folders at the top: demo-1.0.0 and other",
    ),
    "a hidden folder": (source(root=".demo"), "a hidden folder at the top: .demo"),
    "no manifest": (
        gz(entry("libdemo.so") + END),
        "a gzip tar, but not a Cloacina package: it has no manifest.json",
    ),
    "no library": (
        gz(entry("manifest.json", pretty(v1_manifest())) + END),
        "the library of the manifest is not there: libdemo.so",
    ),
    "a third": (
        gz(V1 + entry("README") + END),
        "more than manifest.json and libdemo.so: README",
    ),
    "no modules": (
        gz(entry("manifest.json", pretty(archives.v2_manifest())) + END),
        "no file under workflow/, where a Python package has its code",
    ),
    "no library of format 2": (
        gz(entry("manifest.json", V2_RUST) + END),
        "the library of the manifest is not there: lib/x.so",
    ),
}


def contents(path):
    with open_any(str(path)) as package:
        return package.stream(DISCARD).contents


@pytest.mark.parametrize("name", BAD)
def test_refuses_members_that_no_package_has(place, name):
    data, message = BAD[name]
    with pytest.raises(Refused) as caught:
        contents(place(data))
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == (Code.BAD_LAYOUT, message)


def test_folders_may_have_entries_of_their_own(place):
    stream = folder("demo-1.0.0") + SOURCE + folder("demo-1.0.0/workflow/demo") + END
    found = contents(place(archives.bz2(stream)))
    assert (found.root, found.folders) == ("demo-1.0.0", ("workflow/demo",))
    assert len(found.files) == len(archives.SOURCE)


def test_a_package_toml_deeper_down_is_a_file_like_any_other(place):
    found = contents(place(source({**archives.SOURCE, "vendor/x/package.toml": b"not toml ["})))
    assert found.manifest.name == "demo"
