"""The arguments of Cloacina's macros in each release: read in their sources, built with rustc.

``tests/engines/test_rust_rules.py`` builds refused and accepted cases of these tables with the
crates of the releases. `docs/rust-macros.md` shows them.
"""

from __future__ import annotations

from cloacina_ctl.checks.rust.releases import FIRST, Number
from cloacina_ctl.values import NamedTuple

TEXT = "a text in quotes"
TEXTS = "a list of texts in quotes"
INTEGER = "a whole number of 32 bits"
BOOLEAN = "`true` or `false`"
GROUP = "a list in parentheses"
BRACES = "a list in braces"
ANY = "an expression"


class Key(NamedTuple):
    """An argument of a macro: the accepted values, and the releases that know it."""

    takes: str
    since: Number = FIRST
    until: Number | None = None


class Macro(NamedTuple):
    """A macro: its arguments, the required ones (until which release), and its kind of item.

    ``until`` None means that the newest release still has it.
    """

    keys: dict[str, Key]
    required: dict[str, Number | None]
    item: str
    since: Number = FIRST
    until: Number | None = None
    instead: str = ""


_CONSTRUCTED = {
    "from": Key(TEXT, (0, 10)),
    "constructor": Key(TEXT, (0, 10)),
    "config": Key(BRACES, (0, 10)),
    "grants": Key(BRACES, (0, 10)),
    "runtime": Key(TEXT, (0, 11)),
}
MACROS = {
    "task": Macro(
        {
            "id": Key(TEXT),
            "dependencies": Key(TEXTS),
            "retry_attempts": Key(INTEGER),
            "retry_backoff": Key(TEXT),
            "retry_delay_ms": Key(INTEGER),
            "retry_max_delay_ms": Key(INTEGER),
            "retry_condition": Key(TEXT),
            "retry_jitter": Key(BOOLEAN),
            "trigger_rules": Key(ANY),
            "on_success": Key(ANY, (0, 3)),
            "on_failure": Key(ANY, (0, 3)),
            "invokes": Key(ANY, (0, 6)),
            "post_invocation": Key(ANY, (0, 6)),
        },
        {"id": (0, 7)},
        "function",
    ),
    "packaged_workflow": Macro(
        {key: Key(TEXT) for key in ("name", "package", "tenant", "description", "author")},
        {"name": None, "package": None},
        "mod",
        until=(0, 3),
        instead="`#[workflow(name = …)]`, without `package`, which is the crate's name now",
    ),
    "workflow": Macro(
        {
            **{key: Key(TEXT) for key in ("name", "tenant", "description", "author")},
            "triggers": Key(TEXTS, (0, 6)),
            "params": Key(GROUP, (0, 9)),
            "secrets": Key(GROUP, (0, 10)),
        },
        {"name": None},
        "mod",
        since=(0, 4),
        instead="`#[packaged_workflow(name = …, package = …)]`",
    ),
    "trigger": Macro(
        {
            **{key: Key(TEXT) for key in ("on", "poll_interval", "cron", "timezone", "name")},
            "allow_concurrent": Key(BOOLEAN),
        },
        {"on": None},
        "function",
        since=(0, 4),
    ),
    "constructor": Macro(
        {"id": Key(TEXT), "dependencies": Key(TEXTS), **_CONSTRUCTED},
        {"id": None, "from": None, "constructor": None},
        "macro",
        since=(0, 10),
    ),
    "computation_graph": Macro(
        {"trigger": Key(ANY, (0, 6)), "graph": Key(BRACES), "react": Key(ANY, until=(0, 5))},
        {"graph": None},
        "mod",
        since=(0, 5),
    ),
    "reactor": Macro(
        {"name": Key(TEXT), "accumulators": Key(ANY), "criteria": Key(ANY), **_CONSTRUCTED},
        {"name": None, "accumulators": None, "criteria": None},
        "struct",
        since=(0, 6),
    ),
    "stream_accumulator": Macro(
        {"type": Key(TEXT), "topic": Key(TEXT), "group": Key(TEXT), "state": Key(ANY)},
        {"type": None, "topic": None},
        "function",
        since=(0, 5),
    ),
    "batch_accumulator": Macro(
        {"flush_interval": Key(TEXT), "max_buffer_size": Key(ANY)},
        {"flush_interval": None},
        "function",
        since=(0, 5),
    ),
    "polling_accumulator": Macro(
        {"interval": Key(TEXT)}, {"interval": None}, "function", since=(0, 5)
    ),
    "state_accumulator": Macro(
        {"capacity": Key(ANY)}, {"capacity": None}, "function", since=(0, 5)
    ),
}  # fmt: skip

GRANTS = ("http", "tcp", "fs", "env", "secrets")
BACKOFFS = ("fixed", "linear", "exponential")
CONSTRUCTOR_RUNTIMES = ("wasm", "native")
RULE_FUNCTIONS = {"task_success": 1, "task_failed": 1, "task_skipped": 1, "context_value": 3}
RULE_GROUPS = ("all", "any", "none")
RULE_OPERATORS = frozenset(
    {
        "equals", "not_equals", "greater_than", "less_than", "contains", "not_contains", "exists",
        "not_exists",
    }
)  # fmt: skip


class CrateItem(NamedTuple):
    """A name that Cloacina's crates have in some releases: the first, the last, and the hint."""

    since: Number
    until: Number | None
    hint: str


IMPORTS = {
    "cloacina_workflow_plugin::TaskHandle": CrateItem(
        (0, 11), None, "take the parameter out, or depend on 0.11 or later"
    ),
    "cloacina_macros::packaged_workflow": CrateItem((0, 2), (0, 3), "import `workflow`"),
    "cloacina::packaged_workflow": CrateItem((0, 2), (0, 3), "import `workflow`"),
    "cloacina_workflow::Trigger": CrateItem((0, 6), None, "depend on 0.6 or later"),
    "cloacina_workflow::input_interface": CrateItem((0, 9), None, "depend on 0.9 or later"),
    "cloacina_workflow::SecretResolver": CrateItem((0, 10), None, "depend on 0.10 or later"),
    "cloacina_workflow::SecretAccessError": CrateItem((0, 10), None, "depend on 0.10 or later"),
}
METHODS_SINCE: Number = (0, 8)
METHODS = {
    "get_required": "write `context.get(key).ok_or_else(…)`",
    "get_as": "write `serde_json::from_value(context.get(key)…)`",
    "insert_as": "write `context.insert(key, serde_json::to_value(value)…)`",
}
LAST_HANDLE_OF_ENGINE: Number = (0, 10)
LAST_INVOKES_OF_ENGINE: Number = (0, 9)
LAST_ASYNC_ONLY: Number = (0, 5)
FIRST_UNIQUE_IDS: Number = (0, 3)
FIRST_GRAPH_BY_USE: Number = (0, 10)
