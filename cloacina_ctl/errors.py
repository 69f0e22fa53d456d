"""What can go wrong: permanent codes, diagnostics that carry them, one family of exceptions.

A problem is a :class:`Diagnostic`. ``validate`` lists diagnostics; everything else raises a
:class:`CloacinaError` that carries at least one. Texts may hold bytes of a hostile package: they
must be escaped before they are shown (``cli.escape``).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typing_extensions import Self


class Severity(str, enum.Enum):
    """How bad a diagnostic is; only ``ERROR`` makes a verb fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(str, enum.Enum):
    """Every code: permanent, append-only, never reused. ``docs/codes.md`` has a page of each.

    The first letter is the subject: A archive, B binary and platform, D delivery on this machine,
    G graph, I input and output, L limits, M manifest, N network and server, P project, R Rust
    project, S signature and trust, T tasks that run, U use of the command line, X internal, Y
    Python project.
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

    @property
    def page(self) -> str:
        """Where the documentation explains it: relative to its folder, with the anchor."""
        heading = f"{self.value} {self.meaning}".lower()
        anchor = "".join(char for char in heading if char.isalnum() or char in " -_")
        return f"codes.md#{anchor.replace(' ', '-')}"

    # A: archive
    NOT_A_PACKAGE = "A001", "not a package"
    OLDER_FORMAT = "A002", "a package in an older format"
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
    BAD_STREAM = "A019", "a compressed stream that is damaged, or not the only one"
    MEMBER_TYPE = "A020", "a member that is neither a file nor a folder"
    BAD_LAYOUT = "A021", "members that no package of its format has"
    STRAY_FILE = "A022", "a file that does not belong into a package"
    SECRET_PACKED = "A023", "a file that may hold a secret"
    RELEASE_LIMIT = "A024", "more than the releases that read it load"
    ROOT_NAME = "A025", "a top folder that is not named as the package"
    LOSS = "A026", "something that the other format cannot hold"
    OTHER_RELEASE = "A027", "made for other releases"
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
    SYMBOLS_MISSTATED = "B010", "the manifest misstates what the library exports"
    NOT_FOR_RUNTIME = "B011", "nothing in it that the runtime can load"
    BUILDER_PATH = "B012", "a path of the builder is in the library"
    UNMARKED_RELOCATIONS = "B013", "packed relocations without their mark"
    NEEDED_OUTSIDE = "B014", "the library needs another that not every system has"
    NO_PROMISE = "B015", "nothing says which systems the library runs on"
    UNREAD_MACHINE = "B016", "a machine whose libraries are not read"
    SEARCH_PATH = "B018", "folders were taken out of the library's search path"
    # D: delivery on this machine
    NOT_INSTALLED = "D001", "no such package in the registry"
    OTHER_BYTES = "D002", "another package of that name and version is there"
    NO_EARLIER = "D003", "no version to go back to"
    REGISTRY_DAMAGED = "D004", "a record of the registry is damaged"
    REGISTRY_BUSY = "D005", "another program holds the registry"
    NEWER_REGISTRY = "D006", "a registry of a newer version"
    STORED_DAMAGED = "D007", "a stored package is damaged or missing"
    STRAY_STORED = "D008", "a file that the registry does not know"
    DAEMON_LOADS_NOTHING = "D010", "a daemon that loads nothing that is copied"
    DAEMON_UNKNOWN = "D011", "the version of the daemon is not known"
    DAEMON_FORMAT = "D012", "not the format that the daemon reads"
    REGISTRY_FOLDER = "D013", "the folder of the packages is missing"
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
    FILE_HELD = "I011", "another program is changing the file"
    FILE_CHANGED = "I012", "the file changed since it was read"
    NO_HOME = "I014", "no home folder"
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
    BAD_MANIFEST = "M012", "not a manifest of its format"
    TASK_ORDER = "M013", "an order that is not one of the tasks"
    PLACEHOLDER = "M014", "a text that says nothing"
    UNPROVABLE = "M015", "a claim that nothing can prove"
    RELEASES_REFUSE = "M016", "a manifest that some releases refuse"
    TASKS_MISSTATED = "M017", "the manifest misstates the tasks"
    # N: network and server
    UNREACHABLE = "N001", "the server cannot be reached"
    INSECURE = "N002", "the connection is not secure"
    REDIRECT = "N003", "the server sends somewhere else"
    BAD_ANSWER = "N004", "an answer that is not from a Cloacina server"
    NO_ANSWER = "N005", "no answer in time"
    SERVER_FAILED = "N006", "the server failed"
    DENIED = "N007", "the server does not let you"
    NO_TOKEN = "N008", "no token that can be used"
    NOT_THERE = "N009", "the server has no such thing"
    SERVER_REFUSED = "N010", "the server refuses it"
    VERSION_TAKEN = "N011", "the server has that version, or a later one"
    SERVER_BUILD_FAILED = "N012", "the build on the server failed"
    NOT_BUILT = "N013", "not built when the wait was over"
    NOT_LOADED = "N014", "built, and not loaded"
    RUN_REFUSED = "N015", "the server does not run it"
    RUN_FAILED = "N016", "the workflow failed on the server"
    BAD_PROFILE = "N017", "a profile that cannot be used"
    UNPROVED = "N018", "accepted, and nothing proved"
    INDEX_FAILED = "N019", "an index of Python packages that refuses, or that is not there"
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
    RUNTIME_RULE = "P019", "a rule of the release that it is for"
    CREDENTIAL = "P020", "credentials inside a file that gets packed"
    TRACKED_IGNORED = "P023", "left out by an ignore rule, though git tracks it"
    NO_SUBMODULE = "P024", "a submodule that is not checked out"
    GIT_UNREAD = "P025", "what git keeps about the project cannot be read"
    ALL_EXECUTABLE = "P026", "every file is marked executable"
    LINK_AWAY = "P031", "a link that leads to nothing that may be packed"
    # R: Rust project
    NO_CARGO = "R001", "cargo is not installed"
    BUILD_FAILED = "R002", "the build failed"
    SEVERAL_MEMBERS = "R003", "a workspace with several members"
    NOT_A_CDYLIB = "R004", "the crate does not ask for a shared library"
    NO_PACKAGED_FEATURE = "R005", "the crate has no `packaged` feature that is on"
    NO_PACKAGE_MACRO = "R006", "`package!()` is missing"
    BUILD_SCRIPT = "R007", "a build script that is not needed"
    NOT_PUBLIC = "R008", "a private task function"
    SEVERAL_WORKFLOWS = "R009", "two workflows in one crate"
    NO_RUST_WORKFLOW = "R010", "no workflow in the crate's source"
    SOURCE_DISAGREES = "R011", "source and library disagree"
    RUST_SYNTAX = "R012", "Rust source that cannot be parsed"
    MISSING_CRATE = "R013", "a crate that the macros need is not a dependency"
    NO_LOCK_FILE = "R014", "no Cargo.lock"
    PATH_DEPENDENCY = "R015", "a dependency by path"
    TASK_ARGUMENT = "R016", "an argument that the macro does not know"
    STRAY_TASK = "R017", "a task outside of a workflow's module"
    PROJECT_CHOOSES = "R018", "the project sets what cargo runs"
    PATH_LEFT = "R019", "a path of the builder may be in the library"
    STALE_UNITS = "R020", "cargo takes what it compiled of other files"
    COMPILED_AGAIN = "R021", "compiled again: its files are not those that it was compiled from"
    CLEARED_BUILDS = "R022", "what was built for workspaces that are gone was removed"
    COMPILED_IN = "R023", "a file that the crate compiles in and that is not packed"
    WATCHED = "R024", "a file that a build script watches and that is not packed"
    NO_WORKSPACE = "R025", "a Cargo.toml that needs a workspace which is not there"
    LEFT_BEHIND = "R026", "what the workspace says and the package does not hold"
    LOCK_NOT_CUT = "R027", "no Cargo.lock for the crate alone"
    MIXED_RELEASES = "R030", "crates of Cloacina of several releases"
    IN_A_PROGRAM = "R031", "a workflow in a program"
    MACRO_ARGUMENT = "R032", "an argument that the macro refuses"
    MACRO_PLACE = "R033", "a macro where it cannot stand"
    TASK_SIGNATURE = "R034", "a task's function that the macro refuses"
    RULE_REFUSED = "R035", "a trigger rule that the macro refuses"
    TRIGGER_REFUSED = "R036", "a trigger that the macro refuses"
    LOST_TASK = "R037", "a task that the workflow does not see"
    ID_IN_CRATE = "R038", "one task id twice in a crate"
    PACKAGE_MACRO_TWICE = "R039", "`package!()` twice"
    OTHER_RESULT = "R040", "a `Result` that the macros do not expect"
    PANIC_ABORTS = "R041", "a panic would end the host"
    UNKNOWN_CRATE = "R042", "a crate that the code names is not a dependency"
    OF_OTHER_RELEASE = "R043", "something that this release does not have"
    # S: signature and trust
    UNSIGNED = "S001", "not signed"
    NO_TRUSTED_SIGNER = "S002", "not signed by a trusted key"
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
    BAD_SIDECAR = "S015", "a signature file that breaks its format"
    SHARED_FOLDER = "S016", "a folder that others can change"
    FINGERPRINT_MISMATCH = "S017", "not the key that was asked for"
    UNUSABLE_STORED_KEY = "S018", "a stored key that cannot be read"
    # T: tasks that run
    TASK_FAILED = "T001", "a task that failed"
    TRIGGER_RULE = "T002", "a trigger rule that cannot be read"
    LOAD_FAILED = "T003", "code that cannot be loaded"
    UNKNOWN_ABI = "T004", "an interface that no host here supports"
    PLUGIN_ANSWER = "T005", "an answer that breaks the plugin's interface"
    CRASHED = "T006", "the process of the package died"
    NO_SUCH_TASK = "T007", "no such task, trigger or graph"
    BAD_CONTEXT = "T008", "a context that is no JSON object"
    LATE_READ = "T009", "reads its own files after the import"
    NEEDS_BUILD = "T010", "sources that must be compiled first"
    CODE_DISAGREES = "T011", "manifest and loaded code disagree"
    NETWORK_OPEN = "T012", "code that can use the network"
    NO_ENGINE = "T013", "an engine that is not there, or that cannot run it"
    ENGINE_FAILED = "T014", "the engine failed"
    PARTLY_ISOLATED = "T015", "code that is not isolated in full"
    NOT_ISOLATED = "T016", "isolation that is required and cannot be had"
    FOLDER_NOT_GIVEN = "T017", "a current folder that the code cannot read"
    VENDORED_ELSEWHERE = "T021", "vendored code for other machines"
    TENANT_RULE = "T018", "a trigger rule that holds in one tenant"
    UNKNOWN_RULE = "T019", "a trigger rule that engines of the release do not know"
    OTHER_FEATURES = "T020", "sources that a server builds with other features"
    # U: use of the command line
    USAGE = "U001", "the command line is wrong"
    SECRET_GIVEN = "U002", "a secret where its name or file belongs"
    NO_EFFECT = "U003", "an option that has no effect here"
    VERSION_SET = "U004", "a version that cannot be set on the command line"
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
    HIDDEN_TASK = "Y013", "a task that only running the code would show"
    PYTHON_DISAGREES = "Y014", "manifest and source disagree"
    PYTHON_TASK_ARGUMENT = "Y012", "an argument that the decorator does not know"
    DEPENDENCY = "Y015", "a dependency that cannot be vendored"
    LOCK_FILE = "Y016", "the lock of vendored wheels"
    NO_RESOLVER = "Y017", "neither uv nor pip is installed"
    RESOLVING = "Y018", "the dependencies cannot be had"
    BAD_WHEEL = "Y019", "a wheel that breaks its format"
    WHEEL_DIGEST = "Y020", "not the wheel that was locked"
    VENDOR_CLASH = "Y021", "vendored files that clash"
    ENGINE_VENDORED = "Y022", "the engine's own package is never vendored"
    NARROWED_PYTHON = "Y023", "vendored for fewer versions of Python"
    NATIVE_VENDORED = "Y024", "vendored code for one platform"
    SHORT_RULE = "Y025", "a trigger rule by which engines wait forever"
    NAMED_SOURCE = "Y026", "a dependency whose source the project names"
    SOURCE_WHEEL = "Y027", "not a wheel of the source that the project names"
    PROJECT_LOCK = "Y028", "a lock of the project that does not decide"
    LOCK_DIFFERS = "Y029", "other versions than a lock of the project has"
    DEPENDENCIES_UNREAD = "Y030", "dependencies where vendoring does not look"
    RESOLVER_SETTING = "Y031", "a setting for choosing versions that is not kept"
    OWN_CODE = "Y032", "compiled code that no package can be made of"
    UNSTATED_PLATFORM = "Y033", "compiled code whose platform the package does not state"
    OWN_PLATFORM = "Y034", "compiled code that makes the package one for a platform"
    SOURCE_ROOT = "Y035", "a source root that is not there, or not the project's"
    OTHER_NAME = "Y036", "a module of the project that is imported by another name than it has"
    NOT_PROVIDED = "Y037", "an import that nothing provides"
    NOT_PACKED = "Y038", "dependencies that are declared and not packed"
    BUILD_PATTERN = "Y039", "a pattern of the build configuration that is not followed"
    NOT_CHECKED = "Y040", "source for a newer Python than the one that reads it"
    LIBRARY_ONLY = "Y041", "a name of `cloaca` that packages do not have"
    OLDER_PYTHON = "Y042", "syntax that a Python of the project does not have"
    INDEX_UNKNOWN = "Y043", "an index that only one of uv and pip knows"
    STARTUP_FILE = "Y044", "a wheel's `.pth` file that nothing reads"
    DATA_FILES = "Y045", "a wheel's data files that nothing installs"


class Location(NamedTuple):
    """A place in a file of this machine, named as it is seen from the current folder.

    ``line`` and ``column`` count from 1, the column in characters, of a Rust source in bytes of
    UTF-8; None where they are not known.
    """

    file: str
    line: int | None = None
    column: int | None = None


class Place(str):  # noqa: SLOT000 - a text may not have slots
    """A place in a source, ``FILE:LINE`` to people, which keeps the column for programs."""

    column: int | None

    def __new__(cls, file: str, line: int, column: int | None = None) -> Self:
        """Make the text; ``column`` is as in a `Location`."""
        made = str.__new__(cls, f"{file}:{line}")
        made.column = column
        return made


class Diagnostic(NamedTuple):
    """One problem: what, where, which rule (the code), what to do.

    ``where`` is a place that a person can find: ``FILE``, ``FILE:LINE`` or ``FILE:LINE:COLUMN``,
    with ``: DETAIL`` behind it where there is more to say; a member; a JSON pointer. ``location``
    is the same for programs, where it is a file of this machine.
    """

    code: Code
    message: str
    where: str | None = None
    hint: str | None = None
    severity: Severity = Severity.ERROR
    location: Location | None = None


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


def first_of(names: Sequence[str], most: int) -> str:
    """Return the first names for a message, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def refuse_errors(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return what was found, warnings and notes alone; raise ``Refused`` with all errors in it."""
    said = tuple(found)
    errors = [one for one in said if one.severity is Severity.ERROR]
    if errors:
        raise Refused(*errors)
    return said


class NotTrusted(CloacinaError):
    """A signature is missing, wrong, or by too few; or a key cannot be used (exit 4)."""


class BuildFailed(CloacinaError):
    """Another program that makes the package's parts failed (exit 5)."""


class Incompatible(CloacinaError):
    """Nothing in the package fits this platform or runtime (exit 6)."""


class NetworkProblem(CloacinaError):
    """A server cannot be reached, fails, refuses, or answers nonsense (exit 7)."""


class FileProblem(CloacinaError):
    """Input or output: no space, no permission, exists already, not there (exit 8)."""
