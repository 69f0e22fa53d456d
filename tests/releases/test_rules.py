"""Whether a release loads a package: asked before and after packing, and as it was measured."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.errors import CloacinaError, Code, Refused
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.project.package_toml import authored, header_of, resolve
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.releases.rules import (
    CrateFacts,
    LibraryFacts,
    ManifestFacts,
    ModuleFacts,
    PackageFacts,
    Sizes,
    broken_rules,
    reasons_against,
    releases_that_load,
)
from cloacina_ctl.releases.table import ANY_SOURCE, RELEASES, SOURCE, find_release
from tests.engines.matrix import ALL
from tests.engines.measured import measured
from tests.engines.traps import TRAPS
from tests.support.archives import bz2, source_tar
from tests.support.legacy import LIB_RS, STEPS_RS
from tests.support.trees import plant

OF_SOURCE = [release.name for release in RELEASES if release.format == SOURCE]
NAMES = [release.name for release in RELEASES]
# What packing says where a release would not load the package, and that alone.
OF_RELEASES = {
    Code.RUNTIME_RULE,
    Code.NO_LOCK_FILE,
    Code.NOT_A_CDYLIB,
    Code.NO_PACKAGED_FEATURE,
    Code.NO_PACKAGE_MACRO,
}

keys = st.lists(
    st.sampled_from(["providers", "triggers", "package_type", "owner", '"a.b"', "entry_module"]),
    unique=True,
    max_size=3,
)


@st.composite
def crates(draw):
    """Return the files of a crate, right or wrong in what releases differ in."""
    release = draw(st.sampled_from(["0.4", "0.6", "0.7", "0.8", "0.10", "0.11", "0.12", "*"]))
    names = ("cloacina-workflow", "cloacina-workflow-plugin", "cloacina-computation-graph")
    lines = ["[package]", 'name = "demo"', 'version = "1.0.0"', 'edition = "2021"', "[lib]"]
    lines += draw(st.sampled_from([[], ['crate-type = ["cdylib"]'], ['crate-type = ["rlib"]']]))
    on = ["[features]", 'default = ["packaged"]', "packaged = []"]
    lines += draw(st.sampled_from([[], on, ["[features]", "packaged = []"]]))
    lines += ["[dependencies]", 'async-trait = "0.1"', 'chrono = "0.4"', 'serde_json = "1"']
    lines += [f'{name} = "{release}"' for name in names]
    values = {"providers": "{}", "package_type": "[]", "triggers": "[]"}
    metadata = [f"{key} = {values.get(key, repr('x'))}" for key in draw(keys)]
    has_macro = release != "0.4" and draw(st.booleans())
    files = {
        "Cargo.toml": "\n".join(lines).encode(),
        "package.toml": "\n".join(["[metadata]", *metadata, ""]).encode(),
        "src/lib.rs": LIB_RS if has_macro else b"mod steps;\n",
        "src/steps.rs": STEPS_RS,
    }
    return files | ({"Cargo.lock": b"version = 3\n"} if draw(st.booleans()) else {})


@given(crates(), st.sampled_from(OF_SOURCE))
@settings(max_examples=60, deadline=None)
def test_packing_for_a_release_and_reading_the_package_agree(tmp_path_factory, files, name):
    folder = tmp_path_factory.mktemp("crate")
    plant(folder / "project", files)
    made = folder / "made.cloacina"
    request = PackageRequest(
        project=str(folder / "project"), output=str(made), target=choose_target("source", name)
    )
    refused = refusal(request)
    if refused:
        assert refused <= OF_RELEASES
        project = read_project(request.project)
        text = resolve(header_of(project), authored(project), request.target.runtime)
        made.write_bytes(bz2(source_tar({**files, "package.toml": text})))
    loading = inspect(str(made)).releases
    # No package is made without a lock file, though some release builds one.
    assert refused == {Code.NO_LOCK_FILE} or (name in loading) is not bool(refused)


def refusal(request: PackageRequest) -> set[Code]:
    """Return why no package is made; nothing where one is."""
    try:
        package(request)
    except CloacinaError as error:
        return {one.code for one in error.diagnostics}
    return set()


facts = st.builds(
    PackageFacts,
    format=st.sampled_from(["v1", "source", "native"]),
    language=st.sampled_from([None, "python", "rust"]),
    manifest=st.none()
    | st.builds(
        ManifestFacts,
        package=st.just(("interface", "interface_version", "language")) | st.just(()),
        metadata=st.just(("language", "workflow_name", "entry_module")) | keys.map(tuple),
        language=st.sampled_from([None, "rust", "Rust"]),
    ),
    modules=st.none() | st.builds(ModuleFacts, names=st.sampled_from([(), ("json",)])),
    crate=st.none()
    | st.builds(
        CrateFacts,
        written_for=st.none() | st.sampled_from(NAMES),
        crate_types=st.sampled_from([(), ("cdylib",), ("rlib",)]),
    ),
    library=st.none() | st.builds(LibraryFacts, st.sampled_from([None, "c-abi-0.2", "c-abi-0.3"])),
    sizes=st.builds(
        Sizes,
        package=st.sampled_from([None, 1, 3 << 20, 1 << 30]),
        files=st.sampled_from([None, 0, 11, 1 << 30]),
        entries=st.sampled_from([None, 10_000, 10_001]),
    ),
)


@given(facts)
def test_what_is_refused_before_packing_is_what_no_release_of_it_loads(facts):
    loading = releases_that_load(facts)
    for release in RELEASES:
        broken = broken_rules(release, facts)
        needs_lock = facts.crate is not None and not facts.crate.has_lock_file
        assert bool(broken) is (release not in loading or (needs_lock and facts.format == SOURCE))
        for reason in reasons_against(release, facts):
            said = [one for one in broken if one.message.startswith(f"{reason.message} (Cloacina ")]
            assert [one.hint for one in said] == [reason.hint]


def test_a_package_for_all_is_held_to_no_rule_of_one():
    crate = PackageFacts(SOURCE, "rust", crate=CrateFacts())
    assert broken_rules(ANY_SOURCE, crate) == ()
    for name in OF_SOURCE:
        of_one = crate._replace(crate=CrateFacts(written_for=name))
        assert broken_rules(ANY_SOURCE, of_one) == ()
    (found,) = broken_rules(ANY_SOURCE, crate._replace(crate=CrateFacts(written_for="0.3")))
    assert found.hint == "choose --runtime 0.3, or depend on the crates of another release"


# What is wrong with the code, whatever the release (`validate` finds it), and what is not read.
IN_CODE = ("Y004", "G002", "L001")
READ = [trap for trap in TRAPS if trap.code not in IN_CODE]


@pytest.mark.parametrize("trap", [pytest.param(trap, id=trap.name) for trap in READ])
def test_what_an_engine_was_measured_to_load_is_what_the_rules_say(trap, tmp_path):
    path = tmp_path / "trap.cloacina"
    path.write_bytes(trap.build())
    try:
        loading = inspect(str(path)).releases
    except Refused:  # no package at all: some engines take more than this program reads
        return
    for version, cell in measured()["traps"][trap.name].items():
        release = find_release(version)
        # The compiler of 0.6 refuses what its engine loads; the engine was measured.
        if not release.package_language:
            assert (release.name in loading) is (cell["outcome"] != "refused"), version


CRATES = {
    "foreign_crate": PackageFacts(SOURCE, "rust", crate=CrateFacts(written_for="0.6")),
    "v1": PackageFacts("v1", "rust", library=LibraryFacts("c-abi-0.3")),
    "converted_v1": PackageFacts("v1", "rust", library=LibraryFacts("c-abi-0.3")),
}


@pytest.mark.parametrize("row", CRATES)
def test_which_engine_loads_which_crate_is_what_was_measured(row):
    loading = {release.name for release in releases_that_load(CRATES[row])}
    for version in ALL:
        runs = measured()["matrix"][row][version]["outcome"] == "runs"
        assert (find_release(version).name in loading) is runs, version
