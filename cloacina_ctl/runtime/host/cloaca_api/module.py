"""The module object that replaces ``cloaca``."""

from __future__ import annotations

import sys
from types import ModuleType

from cloacina_ctl.runtime.host.cloaca_api import (
    context,
    graphs,
    retry,
    rules,
    tasks,
    triggers,
    workflows,
)

NAMES = {
    "Context": context.Context,
    "task": tasks.task,
    "TaskHandle": tasks.TaskHandle,
    "trigger": triggers.trigger,
    "TriggerResult": triggers.TriggerResult,
    "RetryPolicy": retry.RetryPolicy,
    "RetryPolicyBuilder": retry.RetryPolicyBuilder,
    "BackoffStrategy": retry.BackoffStrategy,
    "RetryCondition": retry.RetryCondition,
    "context_value": rules.context_value,
    "task_success": rules.task_success,
    "task_failed": rules.task_failed,
    "task_skipped": rules.task_skipped,
    "all_of": rules.all_of,
    "any_of": rules.any_of,
    "none_of": rules.none_of,
    "always": rules.always,
    "WorkflowBuilder": workflows.WorkflowBuilder,
    "Workflow": workflows.BuiltWorkflow,
    "WorkflowContext": workflows.WorkflowContext,
    "TaskNamespace": workflows.TaskNamespace,
    "register_workflow_constructor": workflows.register_workflow_constructor,
    "workflow_params": workflows.unchanged,
    "workflow_secrets": workflows.unchanged,
    "boundary_schema": workflows.unchanged,
    "constructor": workflows.constructor,
    "var": workflows.var,
    "var_or": workflows.var_or,
    "node": graphs.node,
    "reactor": graphs.reactor,
    "ComputationGraphBuilder": graphs.ComputationGraphBuilder,
    "passthrough_accumulator": graphs.passthrough_accumulator,
    "stream_accumulator": graphs.stream_accumulator,
    "polling_accumulator": graphs.polling_accumulator,
    "batch_accumulator": graphs.batch_accumulator,
    "state_accumulator": graphs.state_accumulator,
}


def install() -> None:
    """Make ``import cloaca`` find the module."""
    module = ModuleType("cloaca", "The authoring API of Cloacina.")
    module.__dict__.update(NAMES)
    module.__dict__["__all__"] = sorted(NAMES)
    sys.modules["cloaca"] = module
