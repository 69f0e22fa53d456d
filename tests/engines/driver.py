"""Runs inside an engine's interpreter: one package into the engine, one verdict out of it.

The standard library alone, and nothing of this project: it is started with `-I -S`. Its one
argument is a JSON file that `running.run` wrote. Verdict and log are written beside it.

What is done by hand here is a row in the engine's own registry, as its `register_workflow` and its
compiler leave it. From 0.6 on a wheel unpacks and checks a Python package and stops: the import is
the server's. `_import_as_the_server` replays that step by the server's rules; the registration in
it is the engine's own code.
"""

import bz2
import datetime as dt
import hashlib
import importlib
import io
import json
import os
import re
import shutil
import sqlite3
import sys
import tarfile
import time
import traceback
import uuid

# What the wheels from 0.6 on say where they would import, and only the server can.
_NO_PYTHON = "no PythonRuntime is attached"
_LOADED = re.compile(r"Startup reconciliation completed: (\d+) loaded, \d+ unloaded, (\d+) failed")
_REASON = re.compile(
    r"Failed to load package [0-9a-f-]{36}(?: \(.*?\))?: (.*?)(?=\n\d{4}-\d\d-\d\dT|\Z)", re.DOTALL
)
# The server's list: a package with one of these at the top of workflow/ or vendor/ is refused.
_SHADOWED = frozenset(
    (
        "os", "sys", "subprocess", "shutil", "socket", "http", "urllib", "ctypes", "importlib",
        "pathlib", "io", "json", "pickle", "marshal", "code", "codeop", "compile", "compileall",
        "builtins", "signal", "multiprocessing", "threading", "tempfile", "glob", "fnmatch",
    )
)  # fmt: skip


class Refusal(Exception):
    """The server's import step says no."""


def main(job_file):
    with open(job_file, encoding="utf-8") as file:
        job = json.load(file)
    work = os.path.dirname(os.path.abspath(job_file))
    log = _redirect(work)
    sys.path.append(job["site"])
    verdict = {"loaded": False, "ran": False, "words": None, "context": None, "replayed": False}
    try:
        _drive(job, work, log, verdict)
    except BaseException as error:  # noqa: BLE001 - an engine's panic is one, and a verdict
        verdict["words"] = f"{type(error).__name__}: {error}"
        verdict["traceback"] = traceback.format_exc()
    part = os.path.join(work, "verdict.part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(verdict, file, default=str)
    os.replace(part, os.path.join(work, "verdict.json"))
    # The engines' threads outlive a shutdown, and some of them wait for ever.
    os._exit(0)


def _redirect(work):
    """Send what the engine writes into a file, and its temporary files into ``work``."""
    os.environ.update(TMPDIR=os.path.join(work, "tmp"), RUST_LOG="info", NO_COLOR="1")
    os.makedirs(os.environ["TMPDIR"])
    log = os.path.join(work, "engine.log")
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    return log


def _drive(job, work, log, verdict):
    cloaca = importlib.import_module(job["module"])
    database = os.path.join(work, "engine.db")
    cloaca.DefaultRunner(f"sqlite://{database}").shutdown()  # makes the engine's tables
    with open(job["package"], "rb") as file:
        data = file.read()
    _register(job, database, data)
    mark = os.path.getsize(log)
    runner = cloaca.DefaultRunner(f"sqlite://{database}")
    failed, words = _await_load(log, mark, job["wait"])
    verdict["words"] = words
    if failed and _NO_PYTHON in (words or ""):
        verdict["replayed"] = True
        try:
            _import_as_the_server(cloaca, job, data, os.path.join(work, "staging"))
        except Refusal as refusal:
            verdict["words"] = str(refusal)
            return
        verdict["words"] = None
        failed = False
    verdict["loaded"] = not failed
    if failed:
        return
    if job["graph"]:
        _run_graph(job, verdict)
    else:
        _run_workflow(cloaca, runner, job, verdict)


def _register(job, database, data):
    """Leave the package in the registry as the engine does once it is uploaded and built."""
    package, stored = uuid.uuid4(), uuid.uuid4()
    folder = os.path.join(os.environ["TMPDIR"], "cloacina_registry")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{stored}.so"), "wb") as file:
        file.write(data)
    compiled = None
    if job["library"]:
        with open(job["library"], "rb") as file:
            compiled = file.read()
    now = dt.datetime.now(dt.timezone.utc).isoformat().replace("+00:00", "Z")
    shown = {
        "package_name": job["name"],
        "workflow_name": job["workflow"] or "",
        "version": job["version"],
        "description": None,
        "author": None,
        "tasks": [],
        "graph_data": None,
        "architecture": os.uname().machine,
        "symbols": [],
        "workflow_triggers": [],
        "declared_params": [],
        "declared_surfaces": [],
        "task_docs": {},
    }
    row = {
        "id": package.bytes,
        "registry_id": stored.bytes,
        "package_name": job["name"],
        "version": job["version"],
        "metadata": json.dumps(shown),
        "storage_type": "filesystem",
        "created_at": now,
        "updated_at": now,
        "content_hash": hashlib.sha256(data).hexdigest(),
        "superseded": 0,
        "compiled_data": compiled,
        "build_status": "success",
        "compiled_at": now,
        "paused": 0,
    }
    connection = sqlite3.connect(database, timeout=10)
    known = {column[1] for column in connection.execute("pragma table_info(workflow_packages)")}
    row = {key: value for key, value in row.items() if key in known}
    connection.execute(
        "insert into workflow_registry(id, created_at, data) values (?, ?, ?)",
        (stored.bytes, now, data),
    )
    connection.execute(
        f"insert into workflow_packages({','.join(row)}) values ({','.join('?' * len(row))})",
        list(row.values()),
    )
    connection.commit()
    connection.close()


def _await_load(log, mark, wait):
    """Return whether the engine failed to load the package, and why it says so."""
    end = time.monotonic() + wait
    while time.monotonic() < end:
        with open(log, encoding="utf-8", errors="replace") as file:
            file.seek(mark)
            text = re.sub(r"\x1b\[[0-9;]*m", "", file.read())
        done = _LOADED.search(text)
        if done:
            reason = _REASON.search(text)
            words = " ".join(reason[1].split()) if reason else None
            return int(done[1]) == 0, words
        time.sleep(0.02)
    raise TimeoutError(f"the engine said nothing about the package within {wait} s")


def _import_as_the_server(cloaca, job, data, stage):
    """Unpack, check, import and register."""
    os.makedirs(stage)
    raw = bz2.BZ2Decompressor().decompress(data)  # its first stream only, as the engine reads it
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        archive.extractall(stage, filter="fully_trusted")
    (root,) = (
        os.path.join(stage, name)
        for name in os.listdir(stage)
        if os.path.isfile(os.path.join(stage, name, "package.toml"))
    )
    manifest = job["manifest"]
    entry = _strict_manifest(manifest)
    workflow, vendor = os.path.join(root, "workflow"), os.path.join(root, "vendor")
    if not os.path.isdir(workflow):
        raise Refusal("Missing workflow source directory in Python package")
    roots = [folder for folder in (workflow, vendor) if os.path.isdir(folder)]
    for name in (name for folder in roots for name in os.listdir(folder)):
        if name.removesuffix(".py") in _SHADOWED:
            raise Refusal(f"Package contains '{name}' which shadows Python stdlib module")
    top = entry.partition(".")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == top]:
        del sys.modules[name]
    sys.path.extend(roots)
    try:
        _register_workflow(cloaca, job, manifest, entry)
    finally:
        shutil.rmtree(stage)  # the server's folder is gone once the load is over


def _strict_manifest(manifest):
    """Check what the server's loader wants to be there; return the entry module."""
    for section in ("package", "metadata"):
        if section not in manifest:
            raise Refusal(f"missing field `{section}`")
    package, metadata = manifest["package"], manifest["metadata"]
    for key, kind in (
        ("name", str),
        ("version", str),
        ("interface", str),
        ("interface_version", int),
    ):
        if type(package.get(key)) is not kind:
            raise Refusal(
                f"missing field `{key}`" if key not in package else f"invalid type: {key}"
            )
    if "language" not in metadata:
        raise Refusal("missing field `language`")
    if metadata["language"] != "python":
        raise Refusal(f"Wrong package language: expected python, got {metadata['language']}")
    if not metadata.get("entry_module"):
        raise Refusal("Missing Python config in manifest")
    return metadata["entry_module"]


def _register_workflow(cloaca, job, manifest, entry):
    if job["graph"]:
        _import(entry)
        return
    name = manifest["metadata"].get("workflow_name") or "unknown"
    problem = None
    try:
        with cloaca.WorkflowBuilder(
            name, tenant="public", package=manifest["package"]["name"], workflow=name
        ):
            try:
                _import(entry)
            except Refusal as refusal:
                problem = refusal
    except ValueError as error:
        if problem is None and "cannot be empty" in str(error):
            raise Refusal(f"Empty package: importing '{entry}' registered no tasks") from error
        if problem is None:
            raise Refusal(str(error)) from error
    if problem is not None:
        raise problem


def _import(entry):
    try:
        importlib.import_module(entry)
    except BaseException as error:
        raise Refusal(f"Failed to import '{entry}': {type(error).__name__}: {error}") from error


def _run_workflow(cloaca, runner, job, verdict):
    result = runner.execute(job["workflow"], cloaca.Context(job["context"]))
    verdict["ran"] = result.status == "Completed"
    verdict["words"] = result.error_message if not verdict["ran"] else None
    verdict["context"] = result.final_context.to_dict()


def _run_graph(job, verdict):
    """Run the graph by the builder that the package's module left."""
    module = sys.modules[job["manifest"]["metadata"]["entry_module"]]
    for value in vars(module).values():
        if type(value).__name__ == "ComputationGraphBuilder":
            verdict["context"] = value.execute(job["context"])
            verdict["ran"] = True


if __name__ == "__main__":
    main(sys.argv[1])
