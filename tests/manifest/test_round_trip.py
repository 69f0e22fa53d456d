"""Manifests to bytes and back."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from cloacina_ctl import manifest as m
from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code
from cloacina_ctl.manifest import canonical
from cloacina_ctl.manifest.fields import MANIFEST
from cloacina_ctl.paths import MemberPath
from tests.manifest.strategies import manifests
from tests.support.manifests import document, rust

SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)


@SLOW
@given(manifests())
def test_what_is_dumped_is_parsed_and_dumped_again(manifest: m.Manifest) -> None:
    data = m.dump(manifest)
    assert m.parse(data) == manifest
    assert m.dump(m.parse(data)) == data


@SLOW
@given(manifests())
def test_reading_one_by_one_gives_what_reading_together_gives(manifest: m.Manifest) -> None:
    value = MANIFEST.write(manifest)
    bad: list[Any] = []
    assert MANIFEST.read(value, bad) == manifest
    assert MANIFEST.read_all([value, value]) == [manifest, manifest]
    assert bad == []


@pytest.mark.parametrize("value", [document(), rust()])
def test_the_bytes_are_the_canonical_ones(value: dict[str, Any]) -> None:
    data = canonical.encode(value)
    assert m.dump(m.parse(data)) == data


def test_values_are_tuples_all_the_way_down() -> None:
    manifest = m.parse(canonical.encode(rust()))
    assert manifest.language is m.Language.RUST
    assert manifest.workflows[0].tasks[1] == m.Task(id="b", dependencies=("a",))
    assert hash(manifest) == hash(m.parse(canonical.encode(rust())))


def test_types_of_our_own_are_written_as_texts() -> None:
    manifest = m.parse(canonical.encode(rust()))
    artifact = manifest.artifacts[0]
    typed = manifest._replace(
        contents=manifest.contents._replace(sha256=Digest.parse(manifest.contents.sha256)),
        artifacts=(artifact._replace(path=MemberPath.parse(artifact.path)),),
    )
    assert m.dump(typed) == m.dump(manifest)


def test_the_identity_is_the_digest_of_the_bytes() -> None:
    data = m.dump(m.parse(canonical.encode(document())))
    assert m.content_id(data) == "sha256:" + hashlib.sha256(data).hexdigest()


def _with_tasks(*tasks: m.Task) -> m.Manifest:
    good = m.parse(canonical.encode(document()))
    return good._replace(workflows=(m.Workflow(name="w", tasks=tasks),))


WRONG = {
    "cycle": (
        _with_tasks(m.Task(id="a", dependencies=("b",)), m.Task(id="b", dependencies=("a",)))
    ),
    "unsorted": _with_tasks(m.Task(id="b"), m.Task(id="a")),
    "surrogate": _with_tasks(m.Task(id="\ud800")),
    "empty requires": _with_tasks(m.Task(id="a"))._replace(requires=m.Requires()),
    "no workflow": _with_tasks(m.Task(id="a"))._replace(workflows=()),
    "older": _with_tasks(m.Task(id="a"))._replace(format_version=2),
    "newer": _with_tasks(m.Task(id="a"))._replace(format_version=4),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_manifest_that_would_be_refused_is_never_written(name: str) -> None:
    with pytest.raises(m.ManifestError):
        m.dump(WRONG[name])


def test_a_manifest_over_a_limit_is_never_written() -> None:
    many = _with_tasks(*(m.Task(id=f"{n:06}") for n in range(100_001)))
    large = _with_tasks(*(m.Task(id=f"{n:05}", description="x" * 4000) for n in range(4500)))
    for manifest in (many, large):
        with pytest.raises(m.ManifestError) as caught:
            m.dump(manifest)
        assert [one.code for one in caught.value.diagnostics] == [Code.LIMIT]
