"""What `run` prints, and what it is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.json_schemas import EVENT, judge

if TYPE_CHECKING:
    from tests.support.cli import Outcome

ORDERS = '{"text": "17, AT, 1250\\n18, DE, 99"}'


def lines_of(outcome: Outcome) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the events and the answer of `--json`, each judged by its schema."""
    *events, answer = map(json.loads, outcome.out.splitlines())
    for event in events:
        EVENT.validate(event)
    judge(answer)
    return events, answer


def statuses(answer: dict[str, Any]) -> dict[str, str]:
    """Return how each task ended."""
    return {task["id"]: task["status"] for task in answer["result"]["tasks"]}
