"""What can go wrong: permanent codes, diagnostics that carry them, one family of exceptions.

A problem is a :class:`Diagnostic`. ``validate`` lists diagnostics; everything else raises a
:class:`CloacinaError` that carries at least one. Texts may hold bytes of a hostile package:
whoever shows them escapes them (``cli.escape``).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from cloacina_ctl.values import Constants, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self


class Severity(str, enum.Enum):
    """How bad a diagnostic is; only ``ERROR`` makes a verb fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(str, Constants):  # noqa: SLOT000 - an enumeration to type checkers
    """Every code: permanent, append-only, never reused. ``docs/codes.md`` has a page of each.

    The first letter is the subject: A archive, B binary and platform, G graph, I input and
    output, L limits, M manifest, P project, R Rust project, S signature and trust, U use of the
    command line, X internal, Y Python project.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Keep the code as the value and what it means beside it."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    def __str__(self) -> str:
        """Return the code alone: what people search for."""
        return str(self.value)

    # A: archive
    NOT_A_PACKAGE = "A001", "not a package"
    OTHER_GENERATION = "A002", "a package of another generation"
    NEWER_FORMAT = "A003", "made by a newer version"
    TRUNCATED = "A004", "shorter than its index says"
    TRAILING_BYTES = "A005", "longer than its index says"
    BAD_SIGNATURE_FRAME = "A006", "the signature frame breaks the format"
    BAD_FRAME = "A007", "a compressed frame breaks the format"
    BAD_HEAD = "A008", "the head breaks the format"
    BAD_INDEX = "A009", "index.json breaks the format"
    BAD_FILE_TABLE = "A010", "files.json breaks the format"
    BAD_TAR = "A011", "a tar header, padding or end is not the expected one"
    FRAME_DIGEST = "A012", "a frame's bytes are not those of the index"
    FILE_DIGEST = "A013", "a file's bytes are not those of files.json"
    CONTENTS_MISMATCH = "A014", "files.json is not the one of the manifest"
    MEMBER_NAME = "A015", "a name that no member may have"
    MEMBER_COLLISION = "A016", "two names that some file system takes for one"
    WITHHELD = "A017", "a section was removed from this package"
    NO_SUCH_MEMBER = "A018", "no such member"
    # B: binary and platform
    NOT_A_LIBRARY = "B001", "not a shared library that this tool reads"
    DAMAGED_LIBRARY = "B002", "a shared library that contradicts itself"
    NO_PLUGIN = "B003", "the library exports no plugin"
    PLATFORM_MISMATCH = "B004", "the library is for another platform than stated"
    ARTIFACT_MISMATCH = "B005", "the manifest misstates the library"
    RUNPATH = "B006", "the library searches for others in a fixed folder"
    EXECUTABLE_STACK = "B007", "the library asks for an executable stack"
    TEXT_RELOCATIONS = "B008", "the library rewrites its own code when loaded"
    ABSOLUTE_NEEDED = "B009", "the library needs another by path"
    # G: graph
    DUPLICATE_TASK = "G001", "two tasks with one id"
    UNKNOWN_DEPENDENCY = "G002", "a dependency that is no task"
    CYCLE = "G003", "tasks that wait for each other"
    DUPLICATE_DEPENDENCY = "G004", "a dependency listed twice"
    SELF_DEPENDENCY = "G005", "a task that waits for itself"
    NO_TASK = "G006", "a workflow without tasks"
    # I: input and output
    EXISTS = "I001", "it exists already"
    NOT_FOUND = "I002", "no such file or folder"
    PERMISSION = "I003", "not permitted"
    NO_SPACE = "I004", "no space left"
    NOT_REGULAR = "I005", "not a regular file"
    IO = "I006", "the system refused"
    NOT_EMPTY = "I007", "the folder is not empty"
    # L: limits
    LIMIT = "L001", "over a limit"
    # M: manifest
    NOT_CANONICAL = "M001", "not canonical JSON"
    NEWER_MANIFEST = "M002", "made by a newer version"
    FIELD_UNKNOWN = "M003", "a field that the format does not know"
    FIELD_MISSING = "M004", "a field that must be there"
    FIELD_TYPE = "M005", "a field of the wrong type"
    FIELD_VALUE = "M006", "a field with a value that it may not have"
    NOT_SORTED = "M007", "a list that is not in order"
    DUPLICATE_ENTRY = "M008", "two entries of a list with one key"
    NO_WORKFLOW = "M009", "neither a workflow nor a graph"
    LANGUAGE_MISMATCH = "M010", "a field that the language does not have"
    MISSING_MEMBER = "M011", "the manifest names a file that is not in the package"
    # P: project
    NO_PROJECT = "P001", "no project there"
    TWO_KINDS = "P002", "two kinds of project"
    CONFIG_UNKNOWN_KEY = "P003", "a key that the configuration does not know"
    CONFIG_VALUE = "P004", "a value that the configuration may not have"
    PROJECT_NAME = "P005", "a name that no package may have"
    PROJECT_VERSION = "P006", "a version that no package may have"
    LINK = "P007", "a link in the project"
    SPECIAL_FILE = "P008", "neither a file nor a folder"
    PROJECT_PATH = "P009", "a name that no package may hold"
    CHANGED = "P010", "changed while reading"
    SECRET = "P011", "left out: it may hold a secret"
    NOTHING_TO_PACK = "P012", "nothing to pack"
    UNREADABLE = "P013", "cannot be read"
    EMPTY_FOLDER = "P014", "left out: an empty folder"
    BAD_TOML = "P015", "not TOML"
    RESERVED_NAME = "P016", "a name that the format keeps for itself"
    METADATA = "P017", "a project field that no package may have"
    PRIVATE_KEY = "P018", "a private key inside a file that gets packed"
    # R: Rust project
    NO_CARGO = "R001", "cargo is not installed"
    BUILD_FAILED = "R002", "the build failed"
    SEVERAL_MEMBERS = "R003", "a workspace with several members"
    NOT_A_CDYLIB = "R004", "the crate does not ask for a shared library"
    NO_PACKAGED_FEATURE = "R005", "the crate has no `packaged` feature that is on"
    NO_PACKAGE_MACRO = "R006", "`package!()` is missing"
    BUILD_SCRIPT = "R007", "a build script that is not needed"
    NOT_PUBLIC = "R008", "a workflow module or task that is not `pub`"
    SEVERAL_WORKFLOWS = "R009", "two workflows in one crate"
    NO_RUST_WORKFLOW = "R010", "no workflow in the crate's source"
    SOURCE_DISAGREES = "R011", "source and library disagree"
    RUST_SYNTAX = "R012", "Rust source that cannot be parsed"
    MISSING_CRATE = "R013", "a crate that the macros need is not a dependency"
    NO_LOCK_FILE = "R014", "no Cargo.lock"
    PATH_DEPENDENCY = "R015", "a dependency by path"
    TASK_ARGUMENT = "R016", "an argument that the macro does not know"
    STRAY_TASK = "R017", "a task outside of a workflow's module"
    PROJECT_CHOOSES = "R018", "the project tells cargo what to run"
    PATH_LEFT = "R019", "a path of the builder may be in the library"
    # S: signature and trust
    UNSIGNED = "S001", "not signed"
    NOT_VOUCHED = "S002", "nobody known vouches for it"
    BAD_SIGNATURE = "S003", "a signature that fails"
    THRESHOLD = "S004", "signed by too few"
    BAD_KEY = "S005", "a key that cannot be used"
    KEY_EXPOSED = "S006", "a private key that others can read"
    PASSPHRASE = "S007", "the passphrase is missing or wrong"
    PIN_MISMATCH = "S008", "not the package that was asked for"
    KEY_EXISTS = "S009", "a key of that name exists"
    NO_SUCH_KEY = "S010", "no such key"
    BLOCK_FULL = "S011", "no room for another signature"
    BAD_TRUST_FILE = "S012", "the trust file cannot be used"
    NO_SUCH_SIGNATURE = "S013", "no such signature"
    ALREADY_SIGNED = "S014", "signed by this key already"
    # U: use of the command line
    USAGE = "U001", "the command line is wrong"
    # X: internal
    BUG = "X001", "a bug in this program"
    STOPPED = "X002", "stopped by a signal"
    # Y: Python project
    NO_ENTRY_MODULE = "Y001", "no entry module"
    ENTRY_MODULE_MISSING = "Y002", "the entry module is not there"
    SHADOWED_NAME = "Y003", "a top-level name that shadows another module"
    NO_PYTHON_TASK = "Y004", "no task in the project"
    ASYNC_TASK = "Y005", "a task that is `async def`"
    PYTHON_SYNTAX = "Y006", "Python source that cannot be parsed"
    TASK_VALUE = "Y007", "a task argument that cannot be read from the source"
    TASK_CALL = "Y008", "a task decorator without its parentheses"
    DYNAMIC_METADATA = "Y009", "a name or version that only the build knows"
    NO_INIT = "Y010", "a package folder without `__init__.py`"
    WORKFLOW_BUILDER = "Y011", "a WorkflowBuilder in a packaged module"
    HIDDEN_TASK = "Y013", "a task that only running the code would tell"
    PYTHON_DISAGREES = "Y014", "manifest and source disagree"
    PYTHON_TASK_ARGUMENT = "Y012", "an argument that the decorator does not know"


class Diagnostic(NamedTuple):
    """One problem: what, where, which rule (the code), what to do.

    ``where`` is a place that a person can find: a file with a line, a member, a JSON pointer.
    """

    code: Code
    message: str
    where: str | None = None
    hint: str | None = None
    severity: Severity = Severity.ERROR


class CloacinaError(Exception):
    """Base of everything that this package raises on purpose; carries one diagnostic or more."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        """Take the diagnostics, the most important first."""
        if not diagnostics:
            raise TypeError("an error needs a diagnostic")
        super().__init__(diagnostics[0].message)
        self.diagnostics = diagnostics

    @classmethod
    def of(
        cls, code: Code, message: str, *, where: str | None = None, hint: str | None = None
    ) -> Self:
        """Build the error for one problem."""
        return cls(Diagnostic(code, message, where, hint))


class UsageError(CloacinaError):
    """What was asked for makes no sense (exit 2)."""


class Refused(CloacinaError):
    """Not a package or project, damaged, unsafe, or it contradicts itself (exit 3)."""


class NotTrusted(CloacinaError):
    """A signature is missing, wrong, or by too few; or a key cannot be used (exit 4)."""


class BuildFailed(CloacinaError):
    """Another program that makes the package's parts failed (exit 5)."""


class Incompatible(CloacinaError):
    """Nothing in the package fits this platform or runtime (exit 6)."""


class FileProblem(CloacinaError):
    """Input or output: no space, no permission, exists already, not there (exit 8)."""
