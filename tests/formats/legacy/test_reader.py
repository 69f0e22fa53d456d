"""Opening and pouring: one pass, one descriptor, the same bytes as stock tools give."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.formats.legacy import reader
from cloacina_ctl.formats.legacy.model import Format
from cloacina_ctl.formats.legacy.reader import SMALL, prefetch
from cloacina_ctl.formats.limits import DEFAULT_LIMITS
from cloacina_ctl.formats.native.reader import NativePackage
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import DISCARD, MemorySink
from tests.support import archives
from tests.support.builder import build
from tests.support.legacy import PROVIDER, source, v1, v2
from tests.support.projects import ROOT

EVERY = {
    Format.SOURCE: source(),
    Format.V1: v1(),
    Format.V2: v2(),
    Format.PROVIDER: source(PROVIDER, "files-0.1.0"),
}
TEXTS = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=20)
TREES = st.dictionaries(
    st.lists(TEXTS, min_size=1, max_size=4).map(lambda parts: "data/" + "/".join(parts)),
    st.tuples(st.binary(max_size=400), st.booleans()),
    max_size=8,
)


@pytest.mark.parametrize("generation", EVERY)
def test_tells_the_generation_and_gives_every_file(place, generation):
    data = EVERY[generation]
    sink = MemorySink()
    with open_any(str(place(data))) as package:
        contents = package.stream(sink).contents
    assert contents.format is generation
    assert contents.digest == hashlib.sha256(data).hexdigest() == package.digest
    assert contents.content == f"sha256:{contents.digest}"
    assert {str(file.path) for file in contents.files} == set(sink.files)
    for file in contents.files:
        body = sink.files[str(file.path)]
        assert (file.size, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert contents.size == sum(map(len, sink.files.values()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tree=TREES, form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_reads_identically_what_stock_tools_write(tmp_path, tree, form):
    tree = {**tree, "package.toml": (archives.PACKAGE_TOML, False)}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for path, (data, executable) in tree.items():
            member = tarfile.TarInfo(f"demo-1.0.0/{path}")
            member.size, member.mode = len(data), 0o755 if executable else 0o644
            archive.addfile(member, io.BytesIO(data))
    file, sink = tmp_path / "x.cloacina", MemorySink()
    file.write_bytes(bz2.compress(stream.getvalue()))
    with open_any(str(file)) as package:
        try:
            contents = package.stream(sink).contents
        except Refused as error:
            code = error.diagnostics[0].code  # a path that is file and folder, a device's name
            assert code in (Code.MEMBER_COLLISION, Code.MEMBER_NAME)
            return
    assert sink.files == {path: data for path, (data, _) in tree.items()}
    assert {str(one.path): one.executable for one in contents.files} == {
        path: executable for path, (_, executable) in tree.items()
    }


def test_opens_a_native_package_as_what_it_is(place):
    path = str(place(build()))
    with open_any(path) as package:
        assert isinstance(package, NativePackage)


def test_refuses_what_is_no_package_and_waits_for_nothing(tmp_path):
    (tmp_path / "zip").write_bytes(b"PK\x03\x04" + bytes(60))
    with pytest.raises(Refused):
        open_any(str(tmp_path / "zip"))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileProblem):
        open_any(str(tmp_path / "fifo"))


def test_notices_that_the_file_changed_between_two_passes(place):
    path = place(source())
    with open_any(str(path)) as package:
        assert package.digest
        path.write_bytes(source(root="demo-1.0.1"))
        with pytest.raises(Refused) as caught:
            package.stream(DISCARD)
    assert caught.value.diagnostics[0].code is Code.CHANGED


def test_reports_progress_up_to_the_end(place):
    seen: list[tuple[int, int]] = []
    data = source({**archives.SOURCE, "noise": os.urandom(3 * SMALL)})
    with open_any(str(place(data))) as package:
        package.stream(DISCARD, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (len(data), len(data))


def test_limits_are_checked_before_a_byte_is_read(place):
    limits = DEFAULT_LIMITS._replace(legacy_compressed=10)
    with open_any(str(place(source())), limits) as package:
        for read in (lambda: package.digest, lambda: package.stream(DISCARD)):
            with pytest.raises(Refused) as caught:
                read()
            assert caught.value.diagnostics[0].code is Code.LIMIT


def test_reading_ahead_keeps_the_order_raises_and_stops():
    pieces = [bytes([number]) for number in range(50)]
    assert list(prefetch(pieces, 3)) == pieces == list(prefetch(pieces, 0))

    def failing():
        yield b"first"
        raise Refused.of(Code.BAD_STREAM, "there")

    found = prefetch(failing(), 2)
    assert next(found) == b"first"
    with pytest.raises(Refused):
        next(found)
    endless = prefetch(iter(lambda: b"x", b""), 2)
    assert next(endless) == b"x"
    endless.close()
    assert reader.PREFETCHED > 0


def test_memory_stays_bounded_whatever_the_size(place):
    noise = os.urandom(1 << 20)
    lead, end = archives.v2_tar()[: -len(archives.END)], archives.END
    more = (archives.entry(f"workflow/data/{number}", noise) for number in range(60))
    path = place(gzip.compress(b"".join((lead, *more, end)), 0))
    code = (
        "import resource, sys\n"
        "from cloacina_ctl.formats.opening import open_any\n"
        "from cloacina_ctl.formats.sinks import DISCARD\n"
        "with open_any(sys.argv[1]) as package: package.stream(DISCARD)\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, check=True
    )
    assert int(done.stdout.split()[1]) < 48 << 10
