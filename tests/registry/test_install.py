"""`install`, `list`, `rollback` and `uninstall` with real packages, as users call them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, NotTrusted, Refused, UsageError
from cloacina_ctl.formats.sinks import MemorySink
from cloacina_ctl.operations import install as install_module
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.install import InstallRequest, install
from cloacina_ctl.operations.installation.damage import explain_damage
from cloacina_ctl.operations.installation.lookup import (
    find_installed,
    open_installed,
    parse_spec,
)
from cloacina_ctl.operations.list import list_installed
from cloacina_ctl.operations.sign import SignRequest, sign
from cloacina_ctl.operations.verify import verify
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.sidecar import make_sidecar
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.json_schemas import judge
from tests.support.registries import check_tidy, read_only

NAME = "daily-report"


@pytest.fixture
def registry(user, tmp_path) -> Path:
    return tmp_path / "registry"


def code_of(said) -> str:
    judge(said.json)
    return said.json["diagnostics"][0]["code"]


# The story


def test_versions_side_by_side_and_the_way_back(cli, made, registry):
    assert "1.0.0 is installed and active" in cli("install", made.first).out
    said = cli("install", made.second)
    assert "active before: 1.0.0; `rollback` goes back to it" in said.out
    lines = cli("list").out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [NAME, "1.0.0", "public"], ["*", NAME, "1.1.0"],
    ]  # fmt: skip
    assert cli("rollback", NAME).out == f"{NAME}: 1.0.0 is active again, instead of 1.1.0\n"
    assert cli("rollback", NAME).status == 3
    assert "active already" in cli("rollback", NAME, "--to", "1.0.0").out
    assert cli("rollback", NAME, "--to", "1.1.0").status == 0
    said = cli("uninstall", f"{NAME}@1.1.0")
    assert said.out == f"removed {NAME} 1.1.0\n  active now: 1.0.0\n"
    check_tidy(registry)
    assert cli("uninstall", NAME).out == f"removed {NAME} 1.0.0\n"
    said = cli("list")
    assert (said.status, said.out) == (0, "")
    assert "nothing is installed" in said.err
    check_tidy(registry)


def test_what_each_verb_says_as_json(cli, made):
    said = cli("install", made.second, "--json")
    judge(said.json)
    result = said.json["result"]
    fingerprint = result["signatures"][0]["keyid"]
    assert result["package"]["trusted_signers"] == [fingerprint]
    assert result["package"]["rule"] == {"keys": [], "threshold": 1, "allow_unsigned": False}
    assert (result["before"], result["changed"]) == (None, True)
    again = cli("install", made.second, "--json").json["result"]
    assert (again["before"], again["changed"]) == ("1.1.0", False)
    cli("install", made.first, "--tenant", "etl")
    for words in (
        ["list"], ["list", NAME, "--tenant", "etl"], ["list", "--check"], ["list", "nothing"],
        ["list", "--check", "--repair"], ["rollback", NAME, "--to", "1.1.0"], ["rollback", NAME],
        ["uninstall", NAME], ["uninstall", NAME],
    ):  # fmt: skip
        said = cli(*words, "--json")
        judge(said.json)
        assert said.json["ok"] is (said.status == 0), words
    assert len(cli("list", "--json").json["result"]["packages"]) == 1
    assert cli("list", "--tenant", "public", "--json").json["result"]["packages"] == []


def test_from_standard_input(program, made):
    said = program("install", "-", "--json", stdin=made.first.read_bytes())
    assert said.status == 0, said.err
    assert said.json["result"]["package"]["version"] == "1.0.0"


# What is refused, and that nothing is there then


def test_what_is_not_signed_by_anybody_known_is_not_taken(cli, made, registry):
    assert code_of(cli("install", made.unsigned, "--json")) == "S001"
    said = cli("install", made.unsigned, "--allow-unsigned")
    assert said.status == 0
    assert "no trusted signature (accepted by --allow-unsigned)" in said.err
    assert "not signed" in cli("list").out
    check_tidy(registry)


@pytest.mark.parametrize("at", [10, -10])
def test_a_damaged_package_is_not_taken(cli, made, registry, tmp_path, at):
    data = bytearray(made.first.read_bytes())
    data[at] ^= 1
    (tmp_path / "x").write_bytes(data)
    assert cli("install", "x", "--allow-unsigned").status == 3
    assert cli("list").out == ""
    assert not (registry / "incoming").exists() or os.listdir(registry / "incoming") == []


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["install", "nothing"], 8, "I002"),
        (["install", "text"], 3, "A001"),
        (["install", "."], 8, "I005"),
        (["install", "FIRST", "--tenant", "a/b"], 2, "U001"),
        (["install", "FIRST", "--version", "9"], 4, "S008"),
        (["install", "FIRST", "--lossy"], 2, "U001"),
        (["install", "FIRST", "there"], 2, "U001"),
        (["install", "FIRST", "."], 2, "U001"),
        (["install", "FIRST", "--daemon", "--tenant", "x"], 2, "U001"),
        (["install", "FIRST", "--daemon-version", "0.5"], 2, "U001"),
        (["install", "FIRST", "--signature", "text"], 2, "U001"),
        (["list", "--repair"], 2, "U001"),
        (["list", "--registry", "text"], 8, "I002"),
        (["list", "--tenant", "a b"], 2, "U001"),
        (["rollback", NAME], 8, "D001"),
        (["uninstall", "x@"], 2, "U001"),
        (["uninstall", "@1"], 2, "U001"),
        (["uninstall", NAME, "--tenant", ""], 2, "U001"),
    ],
)
def test_one_clear_error(cli, made, tmp_path, words, status, code):
    (tmp_path / "text").write_text("no package")
    said = cli(*[made.first if word == "FIRST" else word for word in words], "--json")
    assert said.status == status, said.err
    assert code_of(said) == code
    assert said.err.count("\n") == 1


def test_a_second_package_is_not_taken_for_a_folder(cli, made):
    said = cli("install", made.first, made.second)
    assert f"expected one package, found two: {made.first} and {made.second}" in said.err
    assert "a folder needs --daemon" in cli("install", made.first, ".").err


def test_other_content_of_a_version_needs_force(cli, made, registry):
    cli("install", made.second)
    said = cli("install", made.changed, "--json")
    assert (said.status, code_of(said)) == (8, "D002")
    check_tidy(registry)
    assert cli("install", made.changed, "--force").status == 0
    check_tidy(registry)


def test_a_package_that_was_signed_again_takes_its_place(user, made, tmp_path, registry):
    install(InstallRequest(str(made.first)))
    keys.generate_key("second")
    again = tmp_path / "again.cloacina"
    again.write_bytes(made.first.read_bytes())
    sign(SignRequest(str(again), keys=keys.signing_keys(("second",))))
    installed = install(InstallRequest(str(again), VerificationPolicy(threshold=2)))
    assert len(installed.package.trusted_signers) == 2
    assert installed.changed
    check_tidy(registry)


def test_what_other_generations_call_themselves_may_be_no_name(user, tmp_path, monkeypatch):
    from tests.support import archives

    text = archives.PACKAGE_TOML.replace(b'version = "1.0.0"', b'version = "1.0.0 @ home"')
    files = {**archives.SOURCE, "package.toml": text}
    (tmp_path / "x").write_bytes(archives.bz2(archives.source_tar(files)))
    with pytest.raises(Refused) as caught:
        install(InstallRequest(str(tmp_path / "x"), VerificationPolicy(allow_unsigned=True)))
    assert caught.value.diagnostics[0].code in (Code.FIELD_VALUE, Code.BAD_MANIFEST)


# Signatures beside the package


@pytest.fixture
def signed_source(user, made, tmp_path) -> Path:
    """A package of another generation with its sidecar, by a trusted key."""
    key = PrivateKey.generate()
    (tmp_path / "author.pub").write_bytes(key.public.to_pem())
    keys.trust_offered(keys.offer_key(str(tmp_path / "author.pub"), "author"))
    path = tmp_path / "source.cloacina"
    path.write_bytes(made.source.read_bytes())
    beside = make_sidecar(Digest.of(path.read_bytes()), key)
    (tmp_path / "source.cloacina.sig").write_bytes(beside)
    return path


def test_a_sidecar_comes_along_and_counts_in_the_registry(signed_source, registry):
    installed = install(InstallRequest(str(signed_source)))
    assert installed.package.format == "source"
    assert len(installed.package.trusted_signers) == 1
    signed_source.unlink()
    with open_installed("demo") as (there, package):
        assert there == installed.package
        assert package.digest == there.digest
    check_tidy(registry)
    keys.distrust_key("author")
    with pytest.raises(NotTrusted), open_installed("demo"):
        pass


def test_a_sidecar_that_is_named_comes_along(signed_source, tmp_path):
    moved = (tmp_path / "source.cloacina.sig").rename(tmp_path / "elsewhere")
    with pytest.raises(NotTrusted):
        install(InstallRequest(str(signed_source)))
    installed = install(
        InstallRequest(str(signed_source), VerificationPolicy(signature=str(moved)))
    )
    assert len(installed.package.trusted_signers) == 1


def test_a_sidecar_that_changes_meanwhile_is_refused(signed_source, monkeypatch):
    read, told = install_module.read_beside, []

    def changing(request):
        told.append(request)
        return read(request) + b" " * (len(told) - 1)

    monkeypatch.setattr(install_module, "read_beside", changing)
    with pytest.raises(Refused) as caught:
        install(InstallRequest(str(signed_source)))
    assert caught.value.diagnostics[0].code is Code.CHANGED


# What an installed package is trusted for


def test_an_installed_package_is_opened_proved_and_pinned(user, made):
    install(InstallRequest(str(made.first)))
    install(InstallRequest(str(made.second)))
    with open_installed(NAME) as (installed, package):
        assert (installed.version, installed.active) == ("1.1.0", True)
        kept = MemorySink()
        package.stream(kept)
        assert any(path.endswith("tasks.py") for path in kept.files)
    with open_installed(f"{NAME}@1.0.0") as (installed, _):
        assert (installed.version, installed.active) == ("1.0.0", False)


def test_a_path_and_a_rule_for_whatever_verifies(user, made):
    install(InstallRequest(str(made.first)))
    found = find_installed(NAME)
    assert found.rule.content == found.installed.content
    assert not found.rule.allow_unsigned
    assert verify(found.path, found.rule).trusted_signers == found.installed.trusted_signers


def test_another_file_in_its_place_is_refused(user, made):
    install(InstallRequest(str(made.first)))
    path = Path(find_installed(NAME).path)
    path.unlink()
    path.write_bytes(made.second.read_bytes())
    with pytest.raises(Refused) as caught, open_installed(NAME):
        pass
    assert caught.value.diagnostics[0].code is Code.STORED_DAMAGED


@pytest.mark.parametrize("how", ["gone", "cut", "FIFO", "link", "folder"])
def test_a_stored_package_that_is_not_the_one_is_said_by_its_name(cli, made, tmp_path, how):
    cli("install", made.first)
    path = Path(find_installed(NAME).path)
    data = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(data[:-1])
    elif how == "FIFO":
        os.mkfifo(path)
    elif how == "link":
        (tmp_path / "copy").write_bytes(data)
        path.symlink_to(tmp_path / "copy")
    elif how == "folder":
        path.mkdir()
    for words in (["run", NAME], ["run", NAME, "--plan"], ["run", f"{NAME}@1.0.0"]):
        said = cli(*words, "--json")
        judge(said.json)
        found = said.json["diagnostics"][0]
        assert (said.status, found["code"]) == (3, "D007")
        assert found["message"].startswith(f"{NAME}@1.0.0 is damaged in the registry")
        assert "install it again" in found["hint"]


def test_a_stored_signature_that_is_damaged_is_said_so(signed_source, registry):
    install(InstallRequest(str(signed_source)))
    (beside,) = (registry / "packages").rglob("*.sig")
    data = beside.read_bytes()
    beside.unlink()
    for damaged in (None, data + b" "):
        if damaged is not None:
            beside.write_bytes(damaged)
        with pytest.raises(Refused, match=r"demo@1.0.0 is damaged.*the signature") as caught:
            find_installed("demo")
        assert caught.value.diagnostics[0].code is Code.STORED_DAMAGED


@pytest.mark.parametrize("at", [30, 200, -10])
def test_other_bytes_are_explained_where_they_are_refused(user, made, at):
    install(InstallRequest(str(made.first)))
    path = Path(find_installed(NAME).path)
    data = bytearray(path.read_bytes())
    path.unlink()
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refused) as caught, open_installed(NAME):
        pass
    assert caught.value.diagnostics[0].code is Code.STORED_DAMAGED
    assert "its bytes are not those that were installed" in caught.value.diagnostics[0].message


def test_of_a_whole_package_and_of_a_file_elsewhere_nothing_else_is_said(user, made, tmp_path):
    install(InstallRequest(str(made.first)))
    found = find_installed(NAME)
    for path in (found.path, str(made.first), str(tmp_path / "none")):
        with pytest.raises(UsageError), explain_damage(path, found.rule):
            raise UsageError.of(Code.USAGE, "something else")
    keys.remove_key("default", forget=True)
    with pytest.raises(NotTrusted), open_installed(NAME):
        pass


def test_install_says_what_it_mended(cli, made, registry):
    cli("install", made.first)
    path = Path(find_installed(NAME).path)
    for damage in (None, b"half"):
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
        said = cli("install", made.first)
        assert "is installed and active, for tenant public" in said.out
        assert "the stored package was damaged and is now repaired" in said.out
        assert path.read_bytes() == made.first.read_bytes()
    said = cli("install", made.first)
    assert "is installed and active already" in said.out
    result = cli("install", made.first, "--json").json["result"]
    assert (result["changed"], result["repaired"]) == (False, False)


def test_what_was_allowed_unsigned_holds_where_nobody_else_writes(user, made, registry):
    install(InstallRequest(str(made.unsigned), VerificationPolicy(allow_unsigned=True)))
    assert find_installed(NAME).rule.allow_unsigned
    with pytest.raises(NotTrusted), open_installed(NAME, VerificationPolicy(threshold=2)):
        pass
    registry.chmod(0o777)
    with pytest.raises(NotTrusted) as caught:
        find_installed(NAME)
    assert "other users can write to the registry" in caught.value.diagnostics[0].message
    assert find_installed(NAME, VerificationPolicy(allow_unsigned=True)).rule.allow_unsigned


@pytest.mark.parametrize("how", [0o020, 0o002, "owner"])
def test_nor_does_it_hold_where_others_write_to_what_decides(user, made, registry, how):
    """Whoever can write to one of these can make the registry say that it was allowed."""
    installed = install(
        InstallRequest(str(made.unsigned), VerificationPolicy(allow_unsigned=True))
    ).package
    package = Path(installed.path)
    for path in (
        registry / "incoming", registry / "packages", package.parent,
        package.with_name("public.json"), package,
    ):  # fmt: skip
        mode, owner = path.stat().st_mode, path.stat().st_uid
        if how == "owner":
            if os.geteuid() != 0:
                pytest.skip("only root gives a file to somebody else")
            os.chown(path, 12345, -1)
        else:
            path.chmod(mode | how)
        with pytest.raises(NotTrusted) as caught:
            find_installed(NAME)
        found = caught.value.diagnostics[0]
        assert found.where.startswith(str(path))
        assert "chmod -R go-w" in found.hint
        os.chown(path, owner, -1)
        path.chmod(mode)
        assert find_installed(NAME).rule.allow_unsigned


def test_what_was_let_in_by_a_key_that_was_named_stays_in(user, made, tmp_path):
    keys.export_key(keys.ExportRequest("default", str(tmp_path / "author.pub")))
    keys.remove_key("default", forget=True)
    named = VerificationPolicy(keys=(str(tmp_path / "author.pub"),))
    with pytest.raises(NotTrusted):
        install(InstallRequest(str(made.first)))
    installed = install(InstallRequest(str(made.first), named))
    assert installed.package.rule["keys"] == list(installed.package.trusted_signers)
    with open_installed(NAME), open_installed(NAME, named):
        pass


def test_a_key_that_is_trusted_no_longer_counts_no_longer(user, made):
    install(InstallRequest(str(made.first)))
    keys.remove_key("default", forget=True)
    with pytest.raises(NotTrusted), open_installed(NAME):
        pass


def test_names_with_versions():
    assert parse_spec("a") == ("a", None)
    assert parse_spec("a@1") == ("a", "1")
    with pytest.raises(UsageError):
        parse_spec("a@")


# Checking


def test_damage_is_the_answer_no(cli, made, registry):
    cli("install", made.first)
    path = Path(find_installed(NAME).path)
    path.unlink()
    said = cli("list", "--check", "--json")
    assert (said.status, code_of(said)) == (1, "D007")
    assert len(said.json["result"]["packages"]) == 1
    cli("install", made.first)
    assert cli("list", "--check").status == 0


def test_a_damaged_record_is_set_aside(cli, made, registry):
    cli("install", made.first)
    path = Path(find_installed(NAME).path)
    record = path.with_name("public.json")
    record.unlink()
    record.write_bytes(b"damaged")
    for words in (["list"], ["run", NAME, "--plan"], ["install", made.first]):
        assert code_of(cli(*words, "--json")) == "D004"
    said = cli("list", "--check", "--json")
    assert (said.status, code_of(said)) == (1, "D004")
    assert said.json["result"]["packages"] == []
    said = cli("list", "--check", "--repair")
    assert (said.status, said.out) == (0, "")
    assert f"set a damaged record aside: {record}.damaged-" in said.err
    assert f"{path}: no version in the registry has this file" in said.err
    cli("install", path)
    assert cli("list", "--check").err.endswith("no damage found\n")
    assert cli("list").out.startswith(f"*  {NAME}  1.0.0  public")


@pytest.mark.parametrize("how", ["gone", "file"])
def test_a_registry_without_its_folder_of_packages_is_damaged(cli, made, registry, how):
    cli("install", made.first)
    (registry / "packages").rename(registry / "elsewhere")
    if how == "file":
        (registry / "packages").write_text("?")
    said = cli("list", "--check", "--json")
    assert (said.status, code_of(said)) == (1, "D013")


def test_a_read_only_registry_is_listed_and_not_changed(cli, made, registry):
    cli("install", made.first)
    with read_only(registry):
        assert cli("list", "--check").status == 0
        for words in (["install", made.second], ["rollback", NAME], ["uninstall", NAME]):
            said = cli(*words, "--json")
            assert (said.status, code_of(said)) == (8, "I003")


def test_the_registry_is_where_the_user_says(user, made, tmp_path, monkeypatch):
    def folder():
        return list_installed().registry

    assert folder() == str(tmp_path / "registry")
    monkeypatch.delenv("CLOACINA_CTL_REGISTRY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert folder().startswith(str(tmp_path))
    (user / "config.toml").write_text('registry = "mine"\n')
    assert folder() == str(user / "mine")
    assert list_installed(registry="there").registry == str(tmp_path / "there")


def test_how_far_it_is_is_told(user, made):
    told = []
    install(InstallRequest(str(made.first)), lambda *step: told.append(step))
    assert {stage for stage, _, _ in told} == {"copying", "verifying"}
    assert ("copying", size := made.first.stat().st_size, size) in told


def test_what_comes_on_standard_input_has_nothing_beside_it(user, tmp_path):
    (tmp_path / "-.sig").write_text("{}")
    assert install_module.read_beside(InstallRequest("-")) is None
