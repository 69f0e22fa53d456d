"""Whole valid manifests for hypothesis; other tests import them too."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from cloacina_ctl import manifest as m
from cloacina_ctl.manifest.canonical import MAX_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable

# Characters of every width that show: none of the many that the format refuses.
LETTERS = "abzAZ09_-.:/é ßЖ中\U0001f600'\"<&"
NAMES = (
    st.text(LETTERS, min_size=1, max_size=12)
    .map(lambda text: unicodedata.normalize("NFC", text).strip())
    .filter(bool)
)
LINES = st.text(LETTERS, min_size=1, max_size=20)
TEXTS = st.text(LETTERS + "\n\t", min_size=1, max_size=30)
COUNTS = st.integers(0, MAX_INTEGER)
PATHS = st.sampled_from(["src/lib.rs", "workflow/demo/tasks.py", "é/ü.py"])
PYTHON_VERSIONS = st.sampled_from(["1.0", "0", "2!1.2.3a4.post5.dev6+local.7", "2026.1rc1"])
RUST_VERSIONS = st.sampled_from(["0.1.0", "1.2.3-alpha.1+build.5", "10.20.30", "1.0.0-0A.x-y"])
URLS = st.sampled_from(["https://example.org", "http://localhost:80/a?b#c", "https://[::1]/"])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a value or None, for a field that may be absent."""
    return st.none() | strategy


def rising(
    items: st.SearchStrategy[Any], key: Callable[[Any], Any] = lambda item: item, **sizes: int
) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return tuples in strictly rising order of `key`."""
    return st.lists(items, unique_by=key, **sizes).map(lambda some: tuple(sorted(some, key=key)))


@st.composite
def retries(draw: st.DrawFn) -> m.Retry:
    """Retry rules."""
    return m.Retry(
        attempts=draw(COUNTS),
        backoff=draw(st.sampled_from(["fixed", "linear", "exponential"])),
        delay_ms=draw(COUNTS),
        max_delay_ms=draw(COUNTS),
        jitter=draw(st.booleans()),
        condition=draw(NAMES),
    )


@st.composite
def task_lists(draw: st.DrawFn) -> tuple[m.Task, ...]:
    """Tasks that depend on each other without a cycle, in any order of their ids."""
    ids = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    tasks = []
    for number, name in enumerate(ids):
        needs = st.sets(st.sampled_from(ids[:number])) if number else st.just(set())
        tasks.append(
            m.Task(
                id=name,
                dependencies=tuple(sorted(draw(needs))),
                description=draw(maybe(TEXTS)),
                function=draw(maybe(NAMES)),
                source=draw(maybe(PATHS.map("{}:17".format))),
                retry=draw(maybe(retries())),
                timeout_seconds=draw(maybe(st.integers(1, MAX_INTEGER))),
                trigger_rules=draw(maybe(TEXTS)),
            )
        )
    return tuple(sorted(tasks, key=lambda task: task.id))


@st.composite
def triggers(draw: st.DrawFn) -> m.Trigger:
    """Triggers of both kinds."""
    polls = draw(st.booleans())
    return m.Trigger(
        name=draw(NAMES),
        kind="poll" if polls else "cron",
        poll_interval_ms=draw(st.integers(1, MAX_INTEGER)) if polls else None,
        cron=None if polls else draw(st.sampled_from(["0 2 * * *", "*/5 * * * * *", "@daily"])),
        timezone=draw(maybe(st.sampled_from(["UTC", "Europe/Berlin", "Etc/GMT+3"]))),
        allow_concurrent=draw(st.booleans()),
    )


@st.composite
def workflows(draw: st.DrawFn) -> m.Workflow:
    """Workflows."""
    params = st.builds(m.Param, name=NAMES, type=LINES, default=maybe(LINES))
    return m.Workflow(
        name=draw(NAMES),
        tasks=draw(task_lists()),
        description=draw(maybe(TEXTS)),
        author=draw(maybe(LINES)),
        fingerprint=draw(maybe(NAMES)),
        params=tuple(draw(st.lists(params, max_size=3, unique_by=lambda param: param.name))),
        triggers=draw(rising(triggers(), lambda trigger: trigger.name, max_size=2)),
    )


@st.composite
def graphs(draw: st.DrawFn) -> m.Graph:
    """Computation graphs."""
    nodes = draw(rising(NAMES, max_size=3))
    ends = st.sampled_from(nodes) if nodes else st.nothing()
    accumulators = st.builds(
        m.Accumulator,
        name=NAMES,
        type=NAMES,
        config=st.dictionaries(LINES, LINES, max_size=2).map(lambda d: tuple(sorted(d.items()))),
    )
    return m.Graph(
        name=draw(NAMES),
        reaction_mode=draw(NAMES),
        input_strategy=draw(NAMES),
        accumulators=draw(rising(accumulators, lambda one: one.name, max_size=2)),
        nodes=nodes,
        edges=draw(rising(st.builds(m.Edge, from_=ends, to=ends), max_size=3)) if nodes else (),
    )


@st.composite
def interfaces(draw: st.DrawFn) -> m.Interface:
    """What libraries export."""
    kind = draw(st.sampled_from(["c-abi-0.2", "c-abi-0.3", "fidius"]))
    return m.Interface(
        kind=kind,
        abi=draw(COUNTS if kind == "fidius" else maybe(COUNTS)),
        version=draw(maybe(COUNTS)),
        hash=draw(maybe(st.text("0123456789abcdef", min_size=16, max_size=16))),
        wire=draw(maybe(st.sampled_from(["json", "bincode"]))),
        plugin=draw(maybe(NAMES)),
        methods=tuple(draw(st.lists(NAMES, max_size=2))),
    )


@st.composite
def artifacts(draw: st.DrawFn) -> m.Artifact:
    """Libraries for a platform."""
    tag = draw(st.from_regex(r"[a-z][a-z0-9_.]{5,9}x", fullmatch=True))
    kind = draw(st.sampled_from(["cdylib", "wheel-tree"]))
    return m.Artifact(
        platform=tag,
        path=f"platform/{tag}/libdemo.so",
        kind=kind,
        machine=draw(NAMES),
        os=draw(NAMES),
        libc=draw(maybe(st.builds(m.Libc, name=NAMES, floor=maybe(NAMES)))),
        needed=draw(rising(NAMES, max_size=2)),
        interface=draw(maybe(interfaces())),
        built_with=draw(maybe(st.builds(m.BuiltWith, rustc=NAMES, profile=NAMES, target=NAMES))),
        unloaded=kind == "cdylib" and draw(st.booleans()),
    )


@st.composite
def manifests(draw: st.DrawFn) -> m.Manifest:
    """Whole manifests that `parse` and `dump` take."""
    rust = draw(st.booleans())
    flows = draw(rising(workflows(), lambda flow: flow.name, max_size=2))
    requires = m.Requires(
        cloacina=draw(maybe(st.sampled_from([">=0.6", ">=0.6, <0.9", "^0.6.1"]))),
        python=draw(maybe(st.sampled_from([">=3.10", "~=3.10,!=3.11.*", "==3.12.*"]))),
    )
    package = m.PackageInfo(
        name=draw(st.sampled_from(["demo", "a", "Etl-2_x"])),
        version=draw(RUST_VERSIONS if rust else PYTHON_VERSIONS),
        description=draw(maybe(TEXTS)),
        authors=tuple(draw(st.lists(LINES, max_size=2))),
        license=draw(maybe(st.sampled_from(["MIT", "(MIT OR Apache-2.0) AND BSD-3-Clause"]))),
        homepage=draw(maybe(URLS)),
        repository=draw(maybe(URLS)),
        keywords=draw(rising(NAMES, max_size=3)),
    )
    return m.Manifest(
        format_version=m.FORMAT_VERSION,
        package=package,
        language=m.Language.RUST if rust else m.Language.PYTHON,
        contents=m.Contents(files=draw(st.integers(1, MAX_INTEGER)), sha256="0a" * 32, size=7),
        requires=None if requires == m.Requires() else requires,
        entry_module=None if rust else "demo.tasks",
        workflows=flows,
        graphs=draw(rising(graphs(), lambda g: g.name, min_size=0 if flows else 1, max_size=2)),
        artifacts=draw(rising(artifacts(), lambda one: one.platform, max_size=2)),
    )
