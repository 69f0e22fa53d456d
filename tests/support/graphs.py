"""Random workflows for the tests of the scheduler."""

from __future__ import annotations

from hypothesis import strategies as st

from cloacina_ctl.manifest.model import Retry, Task, Workflow
from cloacina_ctl.runtime.scheduler.schedule import ScheduledTask
from cloacina_ctl.runtime.scheduler.trigger_rules import Condition, TriggerRule

QUICK = Retry(delay_ms=0)


@st.composite
def steps(draw: st.DrawFn, most: int = 8) -> list[ScheduledTask]:
    """Return steps without a cycle, some with a rule of their own, in any order."""
    count = draw(st.integers(1, most))
    ids = [f"t{number}" for number in range(count)]
    made = []
    for number, id_ in enumerate(ids):
        needs = (
            draw(st.lists(st.sampled_from(ids[:number]), unique=True, max_size=4)) if number else []
        )
        made.append(
            ScheduledTask(id=id_, needs=tuple(needs), retry=draw(retries()), rule=draw(rules(ids)))
        )
    return draw(st.permutations(made))


def retries() -> st.SearchStrategy[Retry]:
    return st.builds(
        Retry, attempts=st.integers(0, 3),
        backoff=st.sampled_from(["fixed", "linear", "exponential"]),
        delay_ms=st.integers(0, 5000), max_delay_ms=st.integers(0, 8000), jitter=st.booleans(),
        condition=st.sampled_from(["all", "never", "transient", "often"]),
    )  # fmt: skip


def rules(ids: list[str]) -> st.SearchStrategy[TriggerRule | None]:
    condition = st.builds(
        Condition, kind=st.sampled_from(["TaskSuccess", "TaskFailed", "TaskSkipped"]),
        subject=st.sampled_from(ids), operator=st.just(""), value=st.none(),
    )  # fmt: skip
    return st.none() | st.builds(
        TriggerRule, kind=st.sampled_from(["All", "Any", "None"]),
        conditions=st.lists(condition, max_size=3).map(tuple),
    )  # fmt: skip


def workflow(**needs: tuple[str, ...]) -> Workflow:
    """Return a workflow of tasks by their needs, which are tried again at once."""
    return Workflow(
        name="wf",
        tasks=tuple(Task(id=id_, dependencies=deps, retry=QUICK) for id_, deps in needs.items()),
    )
