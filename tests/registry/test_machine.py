"""The registry against a model that is a few lists, whatever is done in whatever order."""

from __future__ import annotations

import shutil
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cloacina_ctl.errors import CloacinaError
from cloacina_ctl.registry.repair import check
from cloacina_ctl.registry.store import Registry
from tests.support.registries import SCRATCH, check_invariants, check_tidy, put

TENANTS = st.sampled_from(["public", "etl"])
NAMES = st.sampled_from(["alpha", "beta"])
VERSIONS = st.sampled_from(["1", "2", "3"])


class Model(RuleBasedStateMachine):
    """``versions`` in the order in which they came, ``history`` with the active one last."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(dir=SCRATCH)
        self.versions = {}
        self.history = {}
        self.salts = {}

    @rule(tenant=TENANTS, name=NAMES, version=VERSIONS, salt=st.sampled_from("xy"),
          replace=st.booleans())  # fmt: skip
    def install(self, tenant, name, version, salt, replace):
        key = (tenant, name)
        versions = self.versions.setdefault(key, [])
        history = self.history.setdefault(key, [])
        there = self.salts.get((*key, version))
        try:
            change = put(self.folder, name, version, tenant=tenant, salt=salt, replace=replace)
        except CloacinaError:
            assert there not in (None, salt)
            assert not replace
            return
        assert there in (None, salt) or replace
        assert change.before == (history[-1] if history else None)
        assert change.changed == (change.before != version or there != salt)
        if version not in versions:
            versions.append(version)
        if version in history:
            history.remove(version)
        history.append(version)
        self.salts[(*key, version)] = salt

    @rule(tenant=TENANTS, name=NAMES, to=st.none() | VERSIONS)
    def roll_back(self, tenant, name, to):
        versions = self.versions.get((tenant, name), [])
        history = self.history.get((tenant, name), [])
        possible = len(history) > 1 if to is None else to in versions
        try:
            change = Registry(self.folder).roll_back(tenant, name, to)
        except CloacinaError:
            assert not possible
            return
        assert possible
        assert change.before == history[-1]
        if to is None:
            history.pop()
        elif to in history:
            del history[history.index(to) + 1 :]
        else:
            history.append(to)
        assert change.after == history[-1]

    @rule(tenant=TENANTS, name=NAMES, version=st.none() | VERSIONS)
    def remove(self, tenant, name, version):
        versions = self.versions.get((tenant, name), [])
        gone = [one for one in versions if version in (None, one)]
        try:
            change = Registry(self.folder).remove(tenant, name, version)
        except CloacinaError:
            assert not gone
            return
        assert change.removed == tuple(gone)
        assert gone
        history = self.history[tenant, name]
        for one in gone:
            versions.remove(one)
            del self.salts[tenant, name, one]
            if one in history:
                history.remove(one)
            if not history and versions:
                history.append(versions[-1])
        assert change.after == (history[-1] if history else None)

    @invariant()
    def says_what_the_model_says(self):
        found = Registry(self.folder).records()
        assert {(one.tenant, one.name): one.installed for one in found} == {
            key: versions for key, versions in self.versions.items() if versions
        }
        assert {(one.tenant, one.name): list(one.activations) for one in found} == {
            key: history for key, history in self.history.items() if history
        }
        if found:
            check_invariants(self.folder)
            check_tidy(self.folder)
            assert check(self.folder).findings == ()

    def teardown(self):
        shutil.rmtree(self.folder)


TestRegistry = Model.TestCase
TestRegistry.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
