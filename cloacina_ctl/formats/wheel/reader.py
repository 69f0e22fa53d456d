"""Unpacking wheels for vendoring: the files that an importer needs, under their import paths.

The rules are those of the binary distribution format: `RECORD` has the digest of every file,
`NAME-VERSION.data/purelib` and `platlib` belong beside the packages. Scripts, headers and data
files are left out: nothing installs them. So are compiled bytecode (it depends on the
interpreter), `.pth` files (``startup``: the files of a folder that one names are moved), and the
`RECORD` of `*.dist-info`, which would list files that are not there.

Nothing of a wheel is run or imported. The same wheel gives the same files.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
from typing import IO, TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.files.staging import reported, unnamed_file, write_all
from cloacina_ctl.formats.limits import DEFAULT_LIMITS
from cloacina_ctl.formats.wheel.startup import (
    MAX_STARTUP_BYTES,
    SUFFIX,
    StartupFile,
    moved,
    read_startup,
)
from cloacina_ctl.formats.wheel.zip_reader import bad_wheel, open_wheel_zip
from cloacina_ctl.paths import MemberPath, collisions
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from cloacina_ctl.formats.limits import Limits
    from cloacina_ctl.formats.wheel.zip_reader import WheelMember, WheelZip

MAX_METADATA_BYTES = 4 << 20
MAX_RECORD_BYTES = 64 << 20
_READ_BYTES = 1 << 20
_SUFFIX = ".whl"
# What a wheel's file name is made of. `packaging` reads its parts, and takes tags such as `../x`.
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.!+-]*")
# The digests that a record may have; the format forbids the older ones.
_HASHES: dict[str, Callable[[], hashlib._Hash]] = {
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_MERGED = ("purelib", "platlib")
_NOT_INSTALLED = ("scripts", "headers", "data")
_WHY_NOT = {
    "scripts": "a script: nothing installs it",
    "headers": "a header for compilers: nothing installs it",
    "data": "a data file for the machine: nothing installs it",
}
_STARTUP = "only in an interpreter's own folders such a file has an effect"
_BYTECODE = (".pyc", ".pyo")


class WheelFile(NamedTuple):
    """A file of a wheel as an importer sees it; ``source`` is where it was unpacked to."""

    path: MemberPath
    source: str
    size: int
    executable: bool
    digest: Digest


class _Recorded(NamedTuple):
    """The entry of ``RECORD`` for a file; ``size`` is None where it has none."""

    algorithm: str
    digest: str
    size: int | None


class Wheel(NamedTuple):
    """An unpacked wheel: its metadata, its files, and the files left out with the reason.

    ``startup`` are the effects of its `.pth` files that are lost; ``data`` the files that an
    installer would put beside the interpreter.
    """

    name: str
    version: str
    metadata: bytes
    files: tuple[WheelFile, ...]
    left_out: tuple[tuple[str, str], ...]
    startup: tuple[StartupFile, ...] = ()
    data: tuple[str, ...] = ()


def names_a_wheel(file: str) -> bool:
    """Return whether ``file`` is named like a wheel, in characters that every file system takes."""
    try:
        parse_wheel_filename(file)
    except InvalidWheelFilename:
        return False
    return _FILE_NAME.fullmatch(file) is not None


def digest_of_file(path: str) -> Digest:
    """Return the SHA-256 of the file ``path``; raises for anything else, without waiting."""
    with reported(path), open_regular(path) as file:
        state = hashlib.sha256()
        while data := file.read(_READ_BYTES):
            state.update(data)
    return Digest(state.hexdigest())


def open_regular(path: str) -> IO[bytes]:
    """Open a file for reading; raise ``FileProblem`` for a folder, a pipe or a device."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileProblem.of(Code.NOT_REGULAR, "it is not a regular file", where=path)
    return open(fd, "rb")


def unpack_wheel(path: str, digest: Digest, folder: str, limits: Limits) -> Wheel:
    """Unpack the wheel in the file ``path`` into the empty ``folder``, and return what it is.

    ``digest`` is the required SHA-256 of the file. The bytes that are hashed are the bytes that are
    used, even where another program writes to the file meanwhile. Raises ``Refused`` for another
    digest (Y020) and for a wheel that breaks its format or holds what no package may (Y019);
    afterwards ``folder`` may hold some files.
    """
    where = os.path.basename(path)
    with (
        _copied(path, folder, where, digest) as (file, size),
        open_wheel_zip(file, size, where, limits) as archive,
    ):
        return _Unpacking(archive, where, folder).run()


def metadata_of(path: str, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the METADATA of the wheel in the file ``path``; the wheel is not checked in full."""
    where = os.path.basename(path)
    with reported(path), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        with open_wheel_zip(file, size, where, limits) as archive:
            info = _info_folder({one.path for one in archive.members}, where)
            return archive.read(f"{info}/METADATA", MAX_METADATA_BYTES)


class _copied:  # noqa: N801 - used as a context manager
    """An unnamed copy of a file; its digest is checked."""

    def __init__(self, path: str, folder: str, where: str, digest: Digest) -> None:
        self._path, self._folder, self._where, self._digest = path, folder, where, digest

    def __enter__(self) -> tuple[IO[bytes], int]:
        with reported(self._folder):
            self._copy = open(unnamed_file(self._folder), "w+b")
        try:
            return self._copy, self._fill()
        except BaseException:
            self._copy.close()
            raise

    def _fill(self) -> int:
        state, size = hashlib.sha256(), 0
        with reported(self._path), open_regular(self._path) as file:
            while data := file.read(_READ_BYTES):
                state.update(data)
                write_all(self._copy.fileno(), data)
                size += len(data)
        if state.hexdigest() != self._digest:
            raise Refused.of(
                Code.WHEEL_DIGEST,
                f"expected a wheel with sha256 {self._digest}, found: {state.hexdigest()}",
                where=self._where,
                hint="if the change is meant, renew the lock: --upgrade-vendored",
            )
        return size

    def __exit__(self, *_: object) -> None:
        self._copy.close()


class _Unpacking:
    """One wheel on its way to the disk."""

    def __init__(self, archive: WheelZip, where: str, folder: str) -> None:
        self._archive = archive
        self._where = where
        self._folder = folder
        self._members = {member.path: member for member in archive.members}
        self._info = _info_folder(self._members.keys(), where)
        self._data = self._info.removesuffix(".dist-info") + ".data"

    def run(self) -> Wheel:
        name, version = self._info.removesuffix(".dist-info").split("-", 1)
        record = self._record()
        kept, left_out = [], []
        startup, moves = self._startup()
        for path, member in self._members.items():
            destination, reason = self._place(path)
            if destination is None:
                left_out.append((path, reason))
                self._check(path, record)
            else:
                prefix = next(filter(destination.startswith, moves), "")
                kept.append(self._write(member, destination.removeprefix(prefix), record))
        self._refuse_clashes(kept)
        metadata = self._archive.read(f"{self._info}/METADATA", MAX_METADATA_BYTES)
        data = (path.partition("/data/")[2] for path in self._members if self._is_data(path))
        return Wheel(name, version, metadata, tuple(kept), tuple(left_out), startup, tuple(data))

    def _is_data(self, path: str) -> bool:
        return path.startswith(f"{self._data}/data/")

    def _startup(self) -> tuple[tuple[StartupFile, ...], tuple[str, ...]]:
        """Return the lost effects of the `.pth` files, and the folders to move to the top."""
        placed = {path: place for path in self._members if (place := self._place(path)[0])}
        found = [
            read_startup(path, self._archive.read(path, MAX_STARTUP_BYTES))
            for path in self._members
            if self._place(path) == (None, _STARTUP)
        ]
        moves = moved(found, placed)
        left = (
            one._replace(folders=tuple(folder for folder in one.folders if folder not in moves))
            for one in found
        )
        kept = tuple(one for one in left if one.folders or one.code)
        return kept, tuple(moves.values())

    def _record(self) -> dict[str, _Recorded]:
        """Return the entry of ``RECORD`` for each file.

        It lists every file and no other; only itself and its signatures may be missing, and have
        no digest.
        """
        own = f"{self._info}/RECORD"
        text = self._archive.read(own, MAX_RECORD_BYTES)
        record: dict[str, _Recorded] = {}
        for row in self._rows(text):
            path = row[0]
            if path in record:
                raise _bad_record(f"RECORD names a file twice: {path[:200]}", self._where)
            algorithm, _, digest = row[1].partition("=")
            size = int(row[2]) if re.fullmatch(r"[0-9]{1,15}", row[2]) else None
            record[path] = _Recorded(algorithm, digest.rstrip("="), size)
        unlisted = {own, *(f"{self._info}/{name}" for name in _SIGNATURES)}
        strange = sorted((self._members.keys() ^ record.keys()) - unlisted)
        if strange:
            what = "does not name" if strange[0] in self._members else "names what is not there"
            raise _bad_record(f"RECORD {what}: {strange[0][:200]}", self._where)
        return {path: said for path, said in record.items() if path not in unlisted}

    def _rows(self, text: bytes) -> Iterator[list[str]]:
        try:
            for row in csv.reader(text.decode("utf-8").splitlines()):
                if len(row) == 3:
                    yield row
                elif row:
                    raise bad_wheel(f"a line of RECORD has {len(row)} fields", self._where)
        except (UnicodeDecodeError, csv.Error) as error:
            raise bad_wheel(f"RECORD cannot be read: {error}", self._where) from error

    def _place(self, path: str) -> tuple[str | None, str]:
        """Return the path of a file beside the packages; None and a reason where left out."""
        top, _, rest = path.partition("/")
        if top == self._data:
            kind, _, rest = rest.partition("/")
            if kind in _NOT_INSTALLED:
                return None, _WHY_NOT[kind]
            if kind not in _MERGED or not rest:
                raise bad_wheel(f"a kind of file that wheels do not have: {path}", self._where)
            path = rest
        elif top == self._info and rest in ("RECORD", *_SIGNATURES):
            return None, "lists the wheel's files, not the vendored ones"
        if path.endswith(_BYTECODE) or "__pycache__" in path.split("/"):
            return None, "compiled bytecode"
        if path.endswith(SUFFIX) and "/" not in path:
            return None, _STARTUP
        return path, ""

    def _write(
        self, member: WheelMember, destination: str, record: dict[str, _Recorded]
    ) -> WheelFile:
        target = os.path.join(self._folder, *destination.split("/"))
        with reported(target):
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                fd = os.open(target, flags, 0o600)
            except FileExistsError as error:
                raise bad_wheel(f"two files for one path: {destination}", self._where) from error
            with open(fd, "wb") as file:
                digest = self._check(member.path, record, file)
        return WheelFile(MemberPath(destination), target, member.size, member.executable, digest)

    def _check(
        self, path: str, record: dict[str, _Recorded], file: IO[bytes] | None = None
    ) -> Digest:
        """Read a file to its end, into ``file`` where one is given; return its SHA-256.

        Raises ``Refused`` where it is not what ``RECORD`` says.
        """
        said = record.get(path)
        if said is not None and said.algorithm not in _HASHES:
            raise _bad_record(
                f"RECORD has no SHA-256 of a file, and no stronger digest: {path}", self._where
            )
        own, other = hashlib.sha256(), _HASHES[said.algorithm if said else "sha256"]()
        for data in self._archive.chunks(path):
            own.update(data)
            other.update(data)
            if file is not None:
                file.write(data)
        if said is not None:
            found = base64.urlsafe_b64encode(other.digest()).rstrip(b"=").decode()
            if found != said.digest or said.size not in (None, self._members[path].size):
                raise bad_wheel(f"a file that is not the one of RECORD: {path}", self._where)
        return Digest(own.hexdigest())

    def _refuse_clashes(self, files: Iterable[WheelFile]) -> None:
        for clash in collisions(str(file.path) for file in files):
            raise bad_wheel(f"{clash.rule}: {clash.first}, {clash.second}", self._where)


def _info_folder(paths: Collection[str], where: str) -> str:
    """Return the one ``*.dist-info``, which is named as the wheel's file is."""
    if not names_a_wheel(where):
        raise bad_wheel("not the name of a wheel", where)
    found = {path.partition("/")[0] for path in paths if ".dist-info/" in path}
    tops = sorted(top for top in found if top.endswith(".dist-info"))
    if len(tops) != 1:
        raise bad_wheel(f"expected one `.dist-info` folder, found: {len(tops)}", where)
    expected, release, _, _ = parse_wheel_filename(where)
    name, _, version = tops[0].removesuffix(".dist-info").partition("-")
    if (canonicalize_name(name), _spelled(version)) != (expected, str(release)):
        raise bad_wheel(f"it is named for another distribution than: {tops[0]}", where)
    for needed in ("METADATA", "RECORD", "WHEEL"):
        if f"{tops[0]}/{needed}" not in paths:
            raise bad_wheel(f"there is no {tops[0]}/{needed}", where)
    return tops[0]


def _bad_record(message: str, where: str) -> Refused:
    """Return the error for a record that the format forbids and installers accept."""
    return Refused.of(
        Code.BAD_WHEEL, message, where=where,
        hint="pip and uv install it nevertheless; here RECORD must list every file once, with its "
        "digest: build the wheel again, or report it to its author",
    )  # fmt: skip


def _spelled(version: str) -> str | None:
    """Return the one spelling of a version; None where it is none."""
    try:
        return str(Version(version))
    except InvalidVersion:
        return None
