"""The registry against a model that is a few lists, whatever is done in whatever order."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cloacina_ctl.errors import CloacinaError
from cloacina_ctl.registry.repair import check, repair
from cloacina_ctl.registry.store import Reading, Registry
from tests.registry.stores import SCRATCH, check_invariants, check_tidy, put

TENANTS = st.sampled_from(["public", "etl"])
NAMES = st.sampled_from(["alpha", "beta"])
VERSIONS = st.sampled_from(["1", "2", "3"])


class Model(RuleBasedStateMachine):
    """``versions`` in the order in which they came, ``turns`` with the active one last."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(dir=SCRATCH)
        self.versions = {}
        self.turns = {}
        self.salts = {}

    @rule(tenant=TENANTS, name=NAMES, version=VERSIONS, salt=st.sampled_from("xy"),
          replace=st.booleans())  # fmt: skip
    def install(self, tenant, name, version, salt, replace):
        key = (tenant, name)
        versions = self.versions.setdefault(key, [])
        turns = self.turns.setdefault(key, [])
        there = self.salts.get((*key, version))
        try:
            change = put(self.folder, name, version, tenant=tenant, salt=salt, replace=replace)
        except CloacinaError:
            assert there not in (None, salt)
            assert not replace
            return
        assert there in (None, salt) or replace
        assert change.before == (turns[-1] if turns else None)
        assert change.changed == (change.before != version or there != salt)
        if version not in versions:
            versions.append(version)
        if version in turns:
            turns.remove(version)
        turns.append(version)
        self.salts[(*key, version)] = salt

    @rule(tenant=TENANTS, name=NAMES, to=st.none() | VERSIONS)
    def roll_back(self, tenant, name, to):
        versions = self.versions.get((tenant, name), [])
        turns = self.turns.get((tenant, name), [])
        possible = len(turns) > 1 if to is None else to in versions
        try:
            with Registry(self.folder) as registry:
                change = registry.roll_back(tenant, name, to)
        except CloacinaError:
            assert not possible
            return
        assert possible
        assert change.before == turns[-1]
        if to is None:
            turns.pop()
        elif to in turns:
            del turns[turns.index(to) + 1 :]
        else:
            turns.append(to)
        assert change.after == turns[-1]

    @rule(tenant=TENANTS, name=NAMES, version=st.none() | VERSIONS)
    def remove(self, tenant, name, version):
        versions = self.versions.get((tenant, name), [])
        gone = [one for one in versions if version in (None, one)]
        try:
            with Registry(self.folder) as registry:
                change = registry.remove(tenant, name, version)
        except CloacinaError:
            assert not gone
            return
        assert change.removed == tuple(gone)
        assert gone
        turns = self.turns[tenant, name]
        for one in gone:
            versions.remove(one)
            del self.salts[tenant, name, one]
            if one in turns:
                turns.remove(one)
            if not turns and versions:
                turns.append(versions[-1])
        assert change.after == (turns[-1] if turns else None)

    @rule(how=st.sampled_from(["cut", "gone"]))
    def lose_the_index(self, how):
        if not any(self.versions.values()):
            return
        for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
            with contextlib.suppress(FileNotFoundError):
                path = f"{self.folder}/{name}"
                os.unlink(path) if how == "gone" else os.truncate(path, 0)
        repair(self.folder)

    @invariant()
    def says_what_the_model_says(self):
        with Reading(self.folder) as registry:
            listed = registry.listed()
        found = {(one.stored.tenant, one.stored.name, one.stored.version) for one in listed}
        assert found == {(*key, one) for key, versions in self.versions.items() for one in versions}
        active = {(one.stored.tenant, one.stored.name): one.stored.version
                  for one in listed if one.active}  # fmt: skip
        assert active == {key: turns[-1] for key, turns in self.turns.items() if turns}
        if listed:
            check_invariants(self.folder)
            check_tidy(self.folder)
            assert check(self.folder).findings == ()

    def teardown(self):
        shutil.rmtree(self.folder)


TestRegistry = Model.TestCase
TestRegistry.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
