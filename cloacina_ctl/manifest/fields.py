"""The fields of a manifest: one table, from which reading, writing and the schema follow."""

from __future__ import annotations

from operator import attrgetter

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest import model, rules, texts
from cloacina_ctl.manifest.forms import MAX_NAME, Boolean, Integer, OneOf, Text, Value
from cloacina_ctl.manifest.shapes import Field, List, Object, TextMap

NAME = Text("a name", MAX_NAME, trimmed=True)
TEXT = Text("a text", lines=True)
LINE = Text("one line of text")
VERSION = Text("a version", 64, r"[0-9A-Za-z.+!-]{1,64}")
URL = Text(
    "a URL of http or https, without a user in it",
    2048,
    r"https?://[0-9A-Za-z.:\[\]-]+(?:[/?#][!-~]*)?",
)
MEMBER = Text("the path of a member", 1024, rule=texts.member_problem)
SHA256 = Text("64 lower-case hex digits", 64, r"[0-9a-f]{64}")
PACKAGE_NAME = Text(
    "a package name (letters, digits, `-` and `_`, at most 64)",
    64,
    r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?",
    rule=texts.member_problem,
)
MODULE = Text(
    "a dotted module name",
    MAX_NAME,
    r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*",
    rule=texts.module_problem,
)
TAG = Text(
    "a platform tag",
    64,
    r"(?!(?:any|common|source|end|head)$)[a-z0-9][a-z0-9_.]{0,63}",
)
# In its one spelling, and without the `@` of a URL: the source of a dependency is private.
REQUIREMENT = Text("a requirement without a URL", 1024, r"[a-z0-9][ -?A-~]*", trimmed=True)
CRON = Text("a cron expression of 5 to 7 fields", MAX_NAME, r"[!-~]+(?: +[!-~]+){4,6}|@[a-z]+")
TIMEZONE = Text("the name of a time zone", 64, r"[A-Za-z0-9][A-Za-z0-9_+/-]*")


def _itself(item: Value) -> Value:
    return item


PACKAGE = Object(
    model.PackageInfo,
    Field("name", PACKAGE_NAME, required=True),
    Field("version", VERSION, required=True),
    Field("description", TEXT),
    Field("authors", List(LINE)),
    Field("license", Text("an SPDX expression", 256, rule=texts.license_problem)),
    Field("homepage", URL),
    Field("repository", URL),
    Field("keywords", List(NAME, key=_itself)),
)
REQUIRES = Object(
    model.Requires,
    Field("cloacina", Text("a version range", 256, rule=texts.range_problem)),
    Field("dependencies", List(REQUIREMENT, key=_itself)),
    Field("python", Text("a version specifier", 256, rule=texts.specifier_problem)),
)
RETRY = Object(
    model.Retry,
    Field("attempts", Integer(), required=True),
    Field("backoff", OneOf(("fixed", "linear", "exponential")), required=True),
    Field("condition", NAME, required=True),
    Field("delay_ms", Integer(), required=True),
    Field("jitter", Boolean(), required=True),
    Field("max_delay_ms", Integer(), required=True),
)
TASK = Object(
    model.Task,
    Field("id", NAME, required=True),
    Field(
        "dependencies",
        List(NAME, key=_itself, empty=None, twice=Code.DUPLICATE_DEPENDENCY),
        required=True,
    ),
    Field("description", TEXT),
    Field("function", NAME),
    Field("retry", RETRY),
    Field("source", Text("`path:line`", 1040, r"[^:]+:[1-9][0-9]{0,8}", rule=texts.source_problem)),
    Field("timeout_seconds", Integer(1)),
    Field("trigger_rules", TEXT),
)
PARAM = Object(
    model.Param,
    Field("name", NAME, required=True),
    Field("type", LINE, required=True),
    Field("default", LINE),
)
TRIGGER = Object(
    model.Trigger,
    Field("name", NAME, required=True),
    Field("kind", OneOf(("poll", "cron")), required=True),
    Field("allow_concurrent", Boolean(only_true=True)),
    Field("cron", CRON),
    Field("poll_interval_ms", Integer(1)),
    Field("timezone", TIMEZONE),
    rule=rules.check_trigger,
    also={
        "if": {"properties": {"kind": {"const": "poll"}}},
        "then": {"required": ["poll_interval_ms"], "properties": {"cron": False}},
        "else": {"required": ["cron"], "properties": {"poll_interval_ms": False}},
    },
)
WORKFLOW = Object(
    model.Workflow,
    Field("name", NAME, required=True),
    Field(
        "tasks",
        List(
            TASK,
            key=attrgetter("id"),
            empty=(Code.NO_TASK, "a workflow has at least one task"),
            twice=Code.DUPLICATE_TASK,
        ),
        required=True,
    ),
    Field("author", LINE),
    Field("description", TEXT),
    Field("fingerprint", NAME),
    Field("params", List(PARAM)),
    Field("triggers", List(TRIGGER, key=attrgetter("name"))),
    rule=rules.check_workflow,
)
ACCUMULATOR = Object(
    model.Accumulator,
    Field("name", NAME, required=True),
    Field("type", NAME, required=True),
    Field("config", TextMap(LINE)),
)
EDGE = Object(
    model.Edge,
    Field("from", NAME, required=True, attribute="from_"),
    Field("to", NAME, required=True),
)
GRAPH = Object(
    model.Graph,
    Field("name", NAME, required=True),
    Field("reaction_mode", NAME, required=True),
    Field("input_strategy", NAME, required=True),
    Field("accumulators", List(ACCUMULATOR, key=attrgetter("name"), empty=None), required=True),
    Field("edges", List(EDGE, key=_itself)),
    Field("nodes", List(NAME, key=_itself)),
    rule=rules.check_graph,
)
INTERFACE = Object(
    model.Interface,
    Field("kind", OneOf(("c-abi-0.2", "c-abi-0.3", "fidius")), required=True),
    Field("abi", Integer()),
    Field("hash", Text("16 lower-case hex digits", 16, r"[0-9a-f]{16}")),
    Field("methods", List(NAME)),
    Field("plugin", NAME),
    Field("version", Integer()),
    Field("wire", OneOf(("json", "bincode"))),
    rule=rules.check_interface,
    also={
        "if": {"properties": {"kind": {"const": "fidius"}}},
        "then": {"required": ["abi"]},
    },
)
ARTIFACT = Object(
    model.Artifact,
    Field("platform", TAG, required=True),
    Field("path", MEMBER, required=True),
    Field("kind", OneOf(("cdylib", "wheel-tree")), required=True),
    Field("machine", NAME, required=True),
    Field("os", NAME, required=True),
    Field("needed", List(NAME, key=_itself, empty=None), required=True),
    Field(
        "built_with",
        Object(
            model.BuiltWith,
            Field("profile", NAME, required=True),
            Field("rustc", NAME, required=True),
            Field("target", NAME, required=True),
        ),
    ),
    Field("interface", INTERFACE),
    Field(
        "libc",
        Object(model.Libc, Field("floor", NAME), Field("name", NAME, required=True)),
    ),
    Field("unloaded", Boolean(only_true=True)),
    rule=rules.check_artifact,
)
CONTENTS = Object(
    model.Contents,
    Field("files", Integer(1), required=True),
    Field("sha256", SHA256, required=True),
    Field("size", Integer(), required=True),
)
MANIFEST = Object(
    model.Manifest,
    Field("format_version", Integer(model.FORMAT_VERSION, model.FORMAT_VERSION), required=True),
    Field("package", PACKAGE, required=True),
    Field("language", OneOf(("rust", "python"), model.Language), required=True),
    Field("contents", CONTENTS, required=True),
    Field("artifacts", List(ARTIFACT, key=attrgetter("platform"))),
    Field("entry_module", MODULE),
    Field("graphs", List(GRAPH, key=attrgetter("name"))),
    Field("requires", REQUIRES),
    Field("workflows", List(WORKFLOW, key=attrgetter("name"))),
    rule=rules.check_manifest,
    also={
        "anyOf": [{"required": ["workflows"]}, {"required": ["graphs"]}],
        "if": {"properties": {"language": {"const": "rust"}}},
        "then": {
            "properties": {
                "entry_module": False,
                "package": {"properties": {"version": {"pattern": f"^(?:{texts.SEMVER})$"}}},
            }
        },
        "else": {
            "required": ["entry_module"],
            "properties": {
                "package": {"properties": {"version": {"pattern": f"^(?:{texts.PEP440})$"}}}
            },
        },
    },
)
