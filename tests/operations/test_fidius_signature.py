"""``package --sign-fidius``: a signature inside the tree of a source package."""

from __future__ import annotations

import bz2

from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.signing.fidius_signature import TreeDigest
from cloacina_ctl.signing.keys import PrivateKey
from tests.support.archives import members


def made(cli, report, *more):
    return cli("package", report, "--format", "source", "--sign-fidius", "-o", "x.cloacina", *more)


def test_the_tree_is_signed_as_fidius_signs_it(cli, report, tmp_path):
    cli("key", "generate")
    assert made(cli, report).status == 0
    found = members(tmp_path / "x.cloacina")
    assert list(found) == sorted(found, key=str.encode)
    digest = TreeDigest()
    for name, data in found.items():
        digest.begin(name, len(data))
        digest.feed(data)
    key = cli("key", "show", "default", "--json").json["result"]["fingerprint"]
    (tmp_path / "x.cloacina.sig").unlink()  # what vouches is inside
    verified = cli("verify", "x.cloacina", "--json")
    assert verified.status == 0
    (one,) = verified.json["result"]["signatures"]
    assert (one["scheme"], one["keyid"], one["status"]) == ("package.sig", key, "trusted")
    assert len(found["package.sig"]) == 64


def test_a_changed_file_is_found_by_it(cli, report, tmp_path):
    cli("key", "generate")
    made(cli, report)
    (tmp_path / "x.cloacina.sig").unlink()
    data = bz2.decompress((tmp_path / "x.cloacina").read_bytes())
    changed = data.replace(b"import cloaca", b"import cloacb", 1)
    assert changed != data
    (tmp_path / "x.cloacina").write_bytes(bz2.compress(changed))
    assert cli("verify", "x.cloacina").status == 4


def test_the_same_tree_and_key_give_the_same_bytes(report, tmp_path):
    key, target = PrivateKey.generate(), choose_target("source", None)
    for name in ("one", "two"):
        output = str(tmp_path / f"{name}.cloacina")
        request = PackageRequest(
            str(report), output=output, keys=(key,), target=target, sign_fidius=True
        )
        assert package(request).files == len(members(output))
    assert (tmp_path / "one.cloacina").read_bytes() == (tmp_path / "two.cloacina").read_bytes()


def test_the_plan_has_room_for_it(cli, report):
    plan = cli("package", report, "--format", "source", "--sign-fidius", "--list", "--json")
    (one,) = [file for file in plan.json["result"]["files"] if file["path"] == "package.sig"]
    assert one["size"] == 64


def test_what_it_would_not_sign_is_refused(cli, report):
    cli("key", "generate")
    (report / "src" / "daily_report" / "target").mkdir()
    (report / "src" / "daily_report" / "target" / "x.py").write_text("")
    told = made(cli, report)
    assert told.status == 3
    assert "workflow/daily_report/target/x.py" in told.err
    assert "P016" in told.err


def test_it_needs_one_key_a_source_package_and_no_padding(cli, report, tmp_path):
    assert made(cli, report).status == 2
    cli("key", "generate")
    assert made(cli, report, "--no-sign").status == 2
    assert made(cli, report, "--pad").status == 2
    assert cli("package", report, "--sign-fidius").status == 2
    assert not list(tmp_path.glob("*.cloacina*"))
