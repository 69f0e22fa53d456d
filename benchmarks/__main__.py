"""Print the gates as a table of ratios. ``--runs N``, ``--only PREFIX``, ``--folder DIR``."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import datasets, registry
from benchmarks.measure import Run, paired, run

MIB = 1 << 20


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    gate: str
    detail: str


class Bench:
    """The commands that are timed, in one scratch folder on the fastest file system there is."""

    def __init__(self, folder: str, runs: int) -> None:
        self.folder = folder
        self.runs = runs
        self.tool = os.path.join(os.path.dirname(sys.executable), "cloacina-ctl")
        os.environ["CLOACINA_CTL_CONFIG_DIR"] = os.path.join(folder, "config")
        if not os.path.isdir(os.path.join(folder, "config")):
            run([self.tool, "key", "generate"])

    def path(self, *parts: str) -> str:
        return os.path.join(self.folder, *parts)

    def python(self) -> Run:
        return run([sys.executable, "-I", "-c", "pass"])

    def package(self, project: str, output: str) -> Run:
        return run([self.tool, "package", project, "-o", output, "--force", "--quiet"])

    def tar_zstd(self, project: str, output: str) -> Run:
        return run(f"tar -cf - . | zstd -3 -T0 -q -f -o {output}", cwd=project)

    def package_source(self, project: str, output: str) -> Run:
        line = [self.tool, "package", project, "--format", "source", "--no-sign", "--force"]
        return run([*line, "--quiet", "-o", output])

    def tar_bzip2(self, project: str, output: str) -> Run:
        return run(["tar", "-cjf", output, "."], cwd=project)

    def convert(self, package: str, output: str) -> Run:
        line = [self.tool, "convert", package, "--format", "source", "--lossy", "--force"]
        return run([*line, "--quiet", "-o", output])

    def verify(self, package: str) -> Run:
        return run([self.tool, "verify", package, "--quiet"])

    def unpack(self, package: str, *options: str) -> Run:
        shutil.rmtree(self.path("unpacked"), ignore_errors=True)
        line = [self.tool, "unpack", package, "-o", self.path("unpacked"), "--quiet", *options]
        return run(line)

    def tar_extract(self, archive: str, *options: str) -> Run:
        shutil.rmtree(self.path("extracted"), ignore_errors=True)
        os.mkdir(self.path("extracted"))
        options = options or ("--zstd", "-xf")
        return run(["tar", *options, archive, "-C", self.path("extracted")])

    def rows(self) -> Iterator[Row]:
        yield from self.start()
        yield from self.data_set("A", datasets.small(self.path("a")), (2.5, None, None))
        yield from self.other_formats(datasets.grown(self.path("grown"), 60))
        yield from self.data_set("B", datasets.vendored(self.path("b")), (1.1, 1.25, 1.1))
        yield from self.local_registry(10_000)

    def start(self) -> Iterator[Row]:
        version = paired(lambda: run([self.tool, "--version"]), self.python, self.runs * 4)
        yield Row(
            "`--version`", f"{version.ratio:.2f} py", "1.1 py", f"{version.wall * 1e3:.0f} ms"
        )
        small, large = self.path("small.cloacina"), self.path("large.cloacina")
        self.package(datasets.small(self.path("a")), small)
        self.package(datasets.grown(self.path("grown"), 60), large)

        def inspect(path: str) -> Run:
            return run([self.tool, "inspect", path, "--json"])

        shown = paired(lambda: inspect(small), self.python, self.runs * 2)
        yield Row("`inspect --json`", f"{shown.ratio:.2f} py", "6 py", f"{shown.wall * 1e3:.0f} ms")
        people = paired(lambda: run([self.tool, "inspect", small]), self.python, self.runs * 2)
        yield Row("`inspect`", f"{people.ratio:.2f} py", "6 py", f"{people.wall * 1e3:.0f} ms")
        sizes = paired(lambda: inspect(large), lambda: inspect(small), self.runs * 4)
        what = f"{os.path.getsize(large) // MIB} MiB / {os.path.getsize(small) // MIB} MiB"
        yield Row("`inspect`, large / small package", f"{sizes.ratio:.2f}", "1.05", what)

    def other_formats(self, project: str) -> Iterator[Row]:
        native, source = self.path("grown.cloacina"), self.path("grown-source.cloacina")
        archive = self.path("grown.tar.bz2")
        self.package(project, native)
        pack = paired(
            lambda: self.package_source(project, source),
            lambda: self.tar_bzip2(project, archive),
            self.runs,
        )
        what = f"{datasets.measure(project)[1] / MIB:.0f} MiB, peak {pack.peak / MIB:.0f} MiB"
        yield Row("pack as source / tar -cjf", f"{pack.ratio:.2f}", "1.05", what)
        read = paired(
            lambda: self.unpack(source, "--allow-unsigned"),
            lambda: self.tar_extract(archive, "-xjf"),
            self.runs,
        )
        what = f"peak {read.peak / MIB:.0f} MiB"
        yield Row("unpack of source / tar -xjf", f"{read.ratio:.2f}", "1.1", what)
        converted = self.convert(native, source)
        yield Row("peak memory: `convert`", f"{converted.peak / MIB:.0f} MiB", "64 MiB", "")

    def local_registry(self, count: int) -> Iterator[Row]:
        full, empty = registry.filled(self.path("registry"), count), self.path("registry-empty")
        found = registry.lookup_seconds(full, count)
        yield Row(f"lookup among {count} installed", f"{found * 1e3:.1f} ms", "5 ms", "")
        package = self.path("small.cloacina")

        def install(folder: str) -> Run:
            return run([self.tool, "install", package, "--registry", folder, "--quiet"])

        pair = paired(lambda: install(full), lambda: install(empty), self.runs * 2)
        what = f"{pair.wall * 1e3:.0f} ms, {os.path.getsize(package) / MIB:.0f} MiB"
        yield Row(f"`install` beside {count} / beside none", f"{pair.ratio:.2f}", "1.1", what)

    def data_set(self, name: str, project: str, gates: tuple[float | None, ...]) -> Iterator[Row]:
        files, size = datasets.measure(project)
        what = f"{files} files, {size / MIB:.0f} MiB"
        package, archive = self.path(f"{name}.cloacina"), self.path(f"{name}.tar.zst")
        pack = paired(
            lambda: self.package(project, package),
            lambda: self.tar_zstd(project, archive),
            self.runs,
        )
        yield Row(f"pack {name} / tar and zstd", f"{pack.ratio:.2f}", _gate(gates[0]), what)
        ratio = os.path.getsize(package) / os.path.getsize(archive)
        yield Row(f"size {name} / tar and zstd", f"{ratio:.3f}", "", "")
        verify = paired(
            lambda: self.verify(package),
            lambda: run(f"zstd -dc -q {archive} >/dev/null"),
            self.runs,
        )
        yield Row(f"verify {name} / zstd -dc", f"{verify.ratio:.2f}", _gate(gates[1]), "")
        unpack = paired(lambda: self.unpack(package), lambda: self.tar_extract(archive), self.runs)
        yield Row(f"unpack {name} / tar -x", f"{unpack.ratio:.2f}", _gate(gates[2]), "")
        memory = f"{pack.peak / MIB:.0f} / {verify.peak / MIB:.0f} / {unpack.peak / MIB:.0f} MiB"
        yield Row(f"peak memory {name}: pack / verify / unpack", memory, "64 / – / 48 MiB", "")


def _gate(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each pair")
    parser.add_argument(
        "--folder", help="where the data sets are kept (default: /dev/shm or TMPDIR)"
    )
    choices = parser.parse_args()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
    folder = choices.folder or os.path.join(base, "cloacina-ctl-benchmarks")
    os.makedirs(folder, exist_ok=True)
    bench = Bench(folder, choices.runs)
    anchor = statistics.median(bench.python().wall for _ in range(9))
    version, processors = sys.version.split()[0], os.cpu_count()
    print(f"py = {anchor * 1e3:.1f} ms, Python {version}, {processors} processors\n")
    print("| what | measured | to reach | |\n|---|---|---|---|")
    for row in bench.rows():
        print(f"| {row.what} | {row.measured} | {row.gate} | {row.detail} |", flush=True)


if __name__ == "__main__":
    main()
