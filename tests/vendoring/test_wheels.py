"""One wheel: what is taken of it, and which are refused."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import struct
import warnings
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, MIB
from cloacina_ctl.formats.wheel.reader import digest_of_file, names_a_wheel, unpack_wheel
from tests.support.wheels import file_name, members, row, wheel, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from cloacina_ctl.formats.wheel.reader import Wheel

INFO = "some_thing-1.0.dist-info"
OTHER_DIGEST = Digest("0" * 64)


def unpack(path: Path, limits=DEFAULT_LIMITS) -> Wheel:
    folder = path.parent / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return unpack_wheel(str(path), digest_of_file(str(path)), str(folder), limits)


def refusal(path: Path, data: bytes | None = None, limits=DEFAULT_LIMITS) -> str:
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Refused) as error:
        unpack(path, limits)
    (first, *_) = error.value.diagnostics
    assert first.code in (Code.BAD_WHEEL, Code.LIMIT)
    assert first.where == path.name
    return first.message


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / file_name("some.thing")


def test_gives_the_files_of_a_wheel_under_the_paths_of_an_importer(tmp_path):
    path = wheel(
        tmp_path,
        "Some.Thing",
        {
            "some/__init__.py": "",
            "some/data.bin": b"\0\1",
            "Some_Thing-1.0.data/purelib/pure.py": "PURE = 1\n",
            "Some_Thing-1.0.data/platlib/plat/x.py": "PLAT = 1\n",
        },
    )
    found = unpack(path)
    assert (found.name, found.version) == ("Some_Thing", "1.0")
    info = "Some_Thing-1.0.dist-info"
    assert [str(file.path) for file in found.files] == [
        "plat/x.py", "pure.py", f"{info}/LICENSE", f"{info}/METADATA", f"{info}/WHEEL",
        "some/__init__.py", "some/data.bin",
    ]  # fmt: skip
    for file in found.files:
        with open(file.source, "rb") as stream:
            data = stream.read()
        assert (file.size, file.digest) == (len(data), Digest.of(data))
        assert not file.executable
    assert b"Name: Some.Thing" in found.metadata


def test_leaves_out_what_nothing_installs_and_says_why(tmp_path):
    path = wheel(
        tmp_path,
        "thing",
        {
            "thing.py": "",
            "thing-1.0.data/scripts/run": "#!python\n",
            "thing-1.0.data/headers/x.h": "",
            "thing-1.0.data/data/share/man.1": "",
            "__pycache__/thing.cpython-311.pyc": b"",
            "old.pyc": b"",
            "start.pth": "import os; os.system('x')\n",
            "inner/kept.pth": "",
        },
    )
    found = unpack(path)
    kept = {str(file.path) for file in found.files}
    assert {"thing.py", "inner/kept.pth"} <= kept
    assert {path for path, _ in found.left_out} == {
        "thing-1.0.data/scripts/run", "thing-1.0.data/headers/x.h",
        "thing-1.0.data/data/share/man.1", "__pycache__/thing.cpython-311.pyc", "old.pyc",
        "start.pth", "thing-1.0.dist-info/RECORD",
    }  # fmt: skip
    assert all(reason for _, reason in found.left_out)


NAMESPACE = (
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1)"
    ".f_locals['sitedir'], *('zope',));importlib = has_mfs and __import__('importlib.util');"
    "m = m or sys.modules.setdefault('zope', types.ModuleType('zope'));mp = (m or []) and "
    "m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
)


@pytest.mark.parametrize(
    ("text", "folders", "code"),
    [
        ("# a comment\n\n", (), ()),
        (NAMESPACE, (), ()),
        ("import os; os.environ\n", (), ("import os; os.environ",)),
        ("import\tsite\n./lib/\n", ("./lib/",), ("import\tsite",)),
        ("/opt/elsewhere\n../lib\n.\n", ("/opt/elsewhere", "../lib", "."), ()),
        ("gone\n", ("gone",), ()),
    ],
)
def test_tells_what_a_pth_file_would_do(text, folders, code, tmp_path):
    found = unpack(wheel(tmp_path, "thing", {"thing.py": "", "thing-1.0.data/purelib/a.pth": text}))
    startup = [(one.folders, one.code) for one in found.startup]
    assert startup == ([(folders, code)] if folders or code else [])


def test_a_folder_that_a_pth_file_names_is_where_modules_are_imported_from(tmp_path):
    files = {
        "thing.pth": "# made by hand\n./_lib\n_lib/more\n",
        "_lib/thing.py": "1", "_lib/inner/__init__.py": "", "_lib/more/extra.py": "2",
        "_libs/other.py": "",
    }  # fmt: skip
    found = unpack(wheel(tmp_path, "thing", files))
    kept = {str(file.path) for file in found.files if ".dist-info" not in file.path}
    assert {"thing.py", "inner/__init__.py", "_libs/other.py"} <= kept
    assert [one.folders for one in found.startup] == [("_lib/more",)]
    assert "more/extra.py" in kept


@pytest.mark.parametrize(
    "files",
    [
        {"lib/thing.py": "", "thing.py": "another"},
        {"lib/__init__.py": "", "lib/thing.py": ""},
    ],
)
def test_a_folder_that_clashes_or_is_a_package_is_not_moved(files, tmp_path):
    found = unpack(wheel(tmp_path, "thing", {**files, "thing.pth": "lib\n"}))
    assert set(files) <= {str(file.path) for file in found.files}
    assert [one.folders for one in found.startup] == [("lib",)]


def test_keeps_who_may_run_a_file_and_ignores_folders(target):
    found = members("some.thing", {"some/tool": "#!/bin/sh\n"})
    modes = {"some/tool": stat.S_IFREG | 0o755, "some/": stat.S_IFDIR | 0o755}
    target.write_bytes(zipped({"some/": b"", **found}, modes))
    assert {str(file.path) for file in unpack(target).files if file.executable} == {"some/tool"}


def test_takes_stronger_digests_in_the_record(target):
    import base64

    found = members("some.thing", {"a.py": "1", "b.py": "2"})
    rows = found[f"{INFO}/RECORD"].decode().splitlines()
    for number, (path, name) in enumerate((("a.py", "sha384"), ("b.py", "sha512"))):
        digest = base64.urlsafe_b64encode(hashlib.new(name, found[path]).digest()).decode()
        rows[number] = f"{path},{name}={digest.rstrip('=')},"
    found[f"{INFO}/RECORD"] = "\r\n".join([*rows, "", ""]).encode()
    target.write_bytes(zipped(found))
    assert len(unpack(target).files) == 5


def test_another_wheel_than_the_locked_one_is_refused(tmp_path):
    path = wheel(tmp_path, "thing")
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused) as error:
        unpack_wheel(str(path), OTHER_DIGEST, str(tmp_path / "out"), DEFAULT_LIMITS)
    assert error.value.diagnostics[0].code is Code.WHEEL_DIGEST
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    "name",
    ["../up.py", "/etc/passwd", "a/../../up.py", "a\\b.py", "a//b.py", "./a.py", "nul.py", "a:b",
     "x/" * 32 + "y", "a\x1b[2J.py", "a\u202eb.py", "trailing.", "C:/x"],
)  # fmt: skip
def test_refuses_a_member_that_no_package_may_have(name, target):
    assert name[:20] in refusal(target, zipped(members("some.thing", {"a.py": "", name: "x"})))


def test_refuses_a_path_that_is_absolute_once_its_data_folder_is_gone(target):
    name = "some_thing-1.0.data/purelib//etc/passwd"
    assert "etc/passwd" in refusal(target, zipped(members("some.thing", {name: "x"})))


def test_refuses_a_name_with_a_zero_byte(target):
    data = zipped(members("some.thing", {"some/evil.py.txt": "x"}))
    message = refusal(target, data.replace(b"evil.py.txt", b"evil.py\0txt"))
    assert "two ways" in message or "control character" in message


@pytest.mark.parametrize(
    ("kind", "says"),
    [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither a file"), (stat.S_IFCHR, "neither a file"),
     (stat.S_IFDIR, "neither a file")],
)  # fmt: skip
def test_refuses_a_member_that_is_no_file(kind, says, target):
    found = members("some.thing", {"some/link": "/etc/passwd"})
    assert says in refusal(target, zipped(found, {"some/link": kind | 0o777}))


def test_refuses_a_folder_with_bytes_in_it(target):
    data = zipped({"some/": b"x", **members("some.thing")}, {"some/": stat.S_IFDIR | 0o755})
    assert "a folder with bytes" in refusal(target, data)


def changed_record(path: str, replacement: str | None) -> bytes:
    found = members("some.thing", {"a.py": "1", "b.py": "2"})
    rows = found[f"{INFO}/RECORD"].decode().splitlines()
    rows = [one for one in rows if not one.startswith(f"{path},")]
    found[f"{INFO}/RECORD"] = "\n".join([*rows, *([replacement] if replacement else [])]).encode()
    return zipped(found)


@pytest.mark.parametrize(
    ("replacement", "says"),
    [
        (row("a.py", b"other"), "not the one of RECORD: a.py"),
        (row("a.py", b"1").rpartition(",")[0] + ",2", "not the one of RECORD: a.py"),
        ("a.py,md5=c4ca4238a0b923820dcc509a6f75849b,1", "has no SHA-256"),
        ("a.py,,", "has no SHA-256"),
        (None, "does not name: a.py"),
        ("a.py,x", "2 fields"),
        (row("b.py", b"2"), "twice"),
        ('"a.py', "fields"),
    ],
)
def test_refuses_a_record_that_does_not_vouch_for_a_file(replacement, says, target):
    assert says in refusal(target, changed_record("a.py", replacement))


def test_says_that_others_install_what_record_does_not_vouch_for(target):
    target.write_bytes(changed_record("a.py", "a.py,,"))
    with pytest.raises(Refused) as error:
        unpack(target)
    assert "pip and uv install it nevertheless" in error.value.diagnostics[0].hint


def test_refuses_a_record_of_a_file_that_is_not_there(target):
    data = changed_record("a.py", row("a.py", b"1") + "\n" + row("c.py", b""))
    assert "names what is not there: c.py" in refusal(target, data)


def test_what_is_left_out_is_vouched_for_too(target):
    found = members("some.thing", {"x.pyc": b"1"})
    found["x.pyc"] = b"2"
    assert "not the one of RECORD: x.pyc" in refusal(target, zipped(found))


def test_refuses_a_record_that_is_no_text(target):
    found = members("some.thing")
    found[f"{INFO}/RECORD"] = b"\xff,,"
    assert "cannot be read" in refusal(target, zipped(found))


def test_refuses_one_that_is_cut_short_anywhere(target):
    data = zipped(members("some.thing"))
    for length in (0, 1, 21, 22, 30, len(data) // 2, len(data) - 1):
        assert "cut short" in refusal(target, data[:length])


def test_refuses_bytes_behind_its_end_and_before_its_beginning(target):
    data = zipped(members("some.thing"))
    assert "bytes behind" in refusal(target, data + b"x")
    assert "bytes before" in refusal(target, b"#!/bin/sh\n" + data)


def test_refuses_a_list_of_members_that_is_longer_than_the_file(target):
    data = bytearray(zipped(members("some.thing")))
    struct.pack_into("<L", data, len(data) - 10, 1 << 30)
    assert "its list of members has" in refusal(target, bytes(data))


def test_refuses_a_bomb_before_it_is_inflated(target):
    data = zipped(members("some.thing", {"zeros": bytes(8 * MIB)}))
    assert len(data) < MIB
    limits = DEFAULT_LIMITS._replace(ratio_from=1 * MIB)
    assert "more than 200 times" in refusal(target, data, limits)
    assert os.listdir(target.parent / "unpacked") == []


@pytest.mark.parametrize(("name", "value"), [("total", 100), ("files", 3)])
def test_refuses_more_than_the_limits_allow(name, value, target):
    data = zipped(members("some.thing"))
    assert "at most" in refusal(target, data, DEFAULT_LIMITS._replace(**{name: value}))


def test_refuses_members_that_share_their_bytes(target):
    """The bomb of 2019: many entries of the list point to one stream."""
    data = zipped(members("some.thing", {"aa.py": "x" * 5000, "ab.py": "x" * 5000}))
    start = data.index(b"PK\1\2")
    second = data.index(b"ab.py", start) - 46
    patched = bytearray(data)
    patched[second + 42 : second + 46] = bytes(4)  # where the first member begins
    assert "overlaps" in refusal(target, bytes(patched))


def test_refuses_a_member_that_is_shorter_than_it_says(target):
    data = bytearray(zipped(members("some.thing", {"aa.py": "x" * 50})))
    entry = data.index(b"aa.py", data.index(b"PK\1\2")) - 46
    struct.pack_into("<L", data, entry + 24, 60)
    assert "shorter" in refusal(target, bytes(data))


def test_refuses_a_wrong_checksum_and_a_wrong_local_name(target):
    data = zipped(members("some.thing", {"aa.py": "x"}))
    assert "damaged" in refusal(target, data.replace(b"aa.py", b"bb.py", 1))
    broken = bytearray(data)
    entry = data.index(b"aa.py", data.index(b"PK\1\2")) - 46
    broken[entry + 16] ^= 1
    assert "damaged" in refusal(target, bytes(broken))


def test_refuses_encryption_and_other_compression(target):
    data = zipped(members("some.thing", {"aa.py": "x"}))
    entry = data.index(b"aa.py", data.index(b"PK\1\2")) - 46
    for offset, value, says in ((8, 1, "encrypted"), (10, 12, "neither stored")):
        changed = bytearray(data)
        changed[entry + offset] = value
        assert says in refusal(target, bytes(changed))


def test_refuses_a_name_in_an_old_code_page(target):
    data = zipped(members("some.thing", {"caf\u00e9.py": "x"}))
    start = data.index(b"PK\1\2")
    entry = data.index("caf\u00e9.py".encode(), start) - 46
    changed = bytearray(data)
    changed[entry + 9] &= ~0x08
    assert "not marked as UTF-8" in refusal(target, bytes(changed))


def test_refuses_two_members_of_one_name_or_that_differ_by_case(target):
    found = members("some.thing", {"a.py": "1", "A.py": "2"})
    assert "one name" in refusal(target, zipped(found))
    buffer = io.BytesIO(zipped(members("some.thing", {"a.py": "1"})))
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a.py", "2")
    assert "listed twice" in refusal(target, buffer.getvalue())


def test_refuses_two_members_that_come_to_lie_at_one_path(target):
    found = members("some.thing", {"a.py": "1", "some_thing-1.0.data/purelib/a.py": "1"})
    assert "two files for one path" in refusal(target, zipped(found))
    found = members("some.thing", {"a.py": "1", "some_thing-1.0.data/purelib/A.py": "1"})
    assert "one name" in refusal(target, zipped(found))


def test_refuses_a_data_folder_that_no_wheel_has(target):
    found = members("some.thing", {"some_thing-1.0.data/elsewhere/a.py": "1"})
    assert "do not have" in refusal(target, zipped(found))


@pytest.mark.parametrize("missing", ["METADATA", "RECORD", "WHEEL"])
def test_refuses_one_without_its_own_description(missing, target):
    found = members("some.thing")
    del found[f"{INFO}/{missing}"]
    assert missing in refusal(target, zipped(found))


def test_refuses_one_that_is_named_for_another(target):
    assert "another distribution" in refusal(target, zipped(members("other")))
    for version in ("2", "one", "1.0-1"):
        data = zipped(members("some.thing", version=version))
        assert "another distribution" in refusal(target, data)
    two = {**members("some.thing"), **members("other")}
    assert "found: 2" in refusal(target, zipped(two))


def test_refuses_a_description_that_is_too_large(target):
    found = members("some.thing", requires=["x" * (5 << 20)])
    assert "a member of more than" in refusal(target, zipped(found))


def test_a_file_that_is_not_named_as_a_wheel_is_none(tmp_path):
    path = tmp_path / "thing.whl"
    assert "not the name" in refusal(path, zipped(members("thing")))
    assert names_a_wheel("thing-1.0-1build-cp311-cp311-manylinux_2_17_x86_64.whl")
    for other in ("thing-1.0.tar.gz", "thing-none-py3-none-any.whl", "thíng-1-py3-none-any.whl",
                  "thing-1.0-py3-none-../x.whl", "thing-1.0-py3-none-any\n.whl"):  # fmt: skip
        assert not names_a_wheel(other)


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / file_name("thing")
    os.mkfifo(path)
    with pytest.raises(FileProblem) as error:
        digest_of_file(str(path))
    assert error.value.diagnostics[0].code is Code.NOT_REGULAR
    with pytest.raises(FileProblem):
        unpack_wheel(str(path), OTHER_DIGEST, str(tmp_path), DEFAULT_LIMITS)
    with pytest.raises(FileProblem, match="no such file"):
        digest_of_file(str(tmp_path / "gone.whl"))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_changed_byte_is_refused_or_changes_nothing(tmp_path_factory, data):
    """Without the lock: `RECORD`, checksums and the list of members already leave little room."""
    tmp_path = tmp_path_factory.mktemp("fuzz")
    path = tmp_path / file_name("some.thing")
    good = zipped(members("some.thing", {"some/__init__.py": "x = 1\n" * 30}))
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(bad))
    try:
        found = unpack(path)
    except Refused:
        return
    assert {str(file.path) for file in found.files} == {
        "some/__init__.py", f"{INFO}/LICENSE", f"{INFO}/METADATA", f"{INFO}/WHEEL"
    }  # fmt: skip
    assert all(digest_of_file(file.source) == file.digest for file in found.files)
