"""The authoring API, as packages see it."""

import pytest

from cloacina_ctl.runtime.host.cloaca_api import module
from cloacina_ctl.runtime.host.cloaca_api import registry as registry_module
from cloacina_ctl.runtime.host.cloaca_api.context import Context
from cloacina_ctl.runtime.host.cloaca_api.registry import DeclaredFor


class Cloaca:
    """The names of the module, as attributes."""

    def __init__(self):
        self.__dict__.update(module.NAMES)


cloaca = Cloaca()
MARKET = {"buy": {}, "wait": {}, "decide": {"routes": {"Buy": "buy", "Wait": "wait"}}}


@pytest.fixture(autouse=True)
def registry():
    """An empty registry, in which this test declares things for one workflow."""
    found = registry_module.REGISTRY
    found.__init__()
    found.enter(DeclaredFor("public", "pack", "flow"))
    return found


def declared(registry, id_="one"):
    return registry.tasks[DeclaredFor("public", "pack", "flow"), id_]


def test_a_task_takes_its_function_s_name_and_stays_a_function(registry):
    @cloaca.task()
    def one(context):
        return context

    assert one(1) == 1
    assert declared(registry).function is one
    assert declared(registry).retry is None
    assert not declared(registry).takes_handle


def test_a_task_has_all_its_keywords(registry):
    def before(context):
        """A dependency."""

    @cloaca.task(
        id="one",
        dependencies=[before, "other"],
        retry_attempts=5,
        retry_backoff="linear",
        retry_delay_ms=10,
        retry_max_delay_ms=20,
        retry_condition="transient",
        retry_jitter=False,
        on_success=before,
        on_failure=before,
        trigger_rules=cloaca.task_success("other"),
    )
    def named_otherwise(context, handle):
        """A task."""

    task = declared(registry)
    assert task.dependencies == ("before", "other")
    assert task.takes_handle
    assert task.retry == {
        "attempts": 5, "backoff": "linear", "delay_ms": 10, "max_delay_ms": 20,
        "condition": "transient", "jitter": False,
    }  # fmt: skip
    assert task.trigger_rules == {
        "type": "All", "conditions": [{"type": "TaskSuccess", "task_name": "other"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "keywords",
    [
        {"retry_backoff": "exponentail"},
        {"retry_condition": "sometimes"},
        {"trigger_rules": {"type": "Perhaps"}},
        {"trigger_rules": "always"},
        {"trigger_rules": {"type": "All", "conditions": [{"type": "TaskSuccess"}]}},
        {"trigger_rules": {"type": "All", "conditions": ["x"]}},
        {"trigger_rules": {"type": "Any"}},
    ],
)
def test_a_keyword_with_a_wrong_value_is_refused(keywords):
    with pytest.raises(ValueError, match=r"is one of|is not a rule"):
        cloaca.task(**keywords)


def test_the_older_keywords_and_a_policy_exclude_each_other():
    with pytest.raises(ValueError, match="not by both"):
        cloaca.task(retry=cloaca.RetryPolicy.default(), retry_attempts=2)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError):
        cloaca.task(timeout_seconds=3)
    with pytest.raises(TypeError):
        cloaca.task(lambda context: None)


def test_a_dependency_is_a_name_or_has_one():
    with pytest.raises(TypeError, match="a dependency of a task"):
        cloaca.task(dependencies=[3])(lambda context: None)


def test_a_task_is_declared_by_the_thread_that_imports(registry):
    registry.leave()
    with pytest.raises(ValueError, match="while its module is imported"):
        cloaca.task()(lambda context: None)


def test_a_policy_is_built(registry):
    policy = (
        cloaca.RetryPolicy.builder()
        .max_attempts(4)
        .initial_delay(0.5)
        .max_delay(3)
        .backoff_strategy(cloaca.BackoffStrategy.linear(1.0))
        .retry_condition(cloaca.RetryCondition.error_pattern(["busy", "late"]))
        .with_jitter(False)
        .build()
    )
    cloaca.task(retry=policy, id="one")(lambda context: None)
    assert declared(registry).retry == {
        "attempts": 4, "backoff": "linear", "delay_ms": 500, "max_delay_ms": 3000,
        "condition": "busy,late", "jitter": False,
    }  # fmt: skip
    assert (policy.max_attempts, policy.initial_delay, policy.max_delay) == (4, 0.5, 3.0)
    assert not policy.with_jitter
    assert policy.calculate_delay(3) == 1.5
    assert policy.should_retry(3, "x")
    assert not policy.should_retry(4, "x")
    assert repr(policy) == (
        "RetryPolicy(max_attempts=4, initial_delay=0.5s, max_delay=3.0s, jitter=False)"
    )
    default = cloaca.RetryPolicy.default()
    assert default.calculate_delay(2) == 2.0
    assert [repr(cloaca.BackoffStrategy.fixed()), cloaca.BackoffStrategy.exponential(2).kind] == [
        "BackoffStrategy.Fixed", "exponential",
    ]  # fmt: skip
    assert cloaca.RetryCondition.never().text == "never"
    assert cloaca.RetryCondition.transient_only().text == "transient"
    assert repr(cloaca.RetryCondition.all_errors()) == "RetryCondition('all')"


def test_a_context_holds_json_and_hands_out_copies():
    context = cloaca.Context({"a": [1], "none": None})
    context.get("a").append(2)
    assert context["a"] == [1]
    context.set("b", (1, 2))
    context["c"] = {"x": 1.5}
    context.update("b", True)
    context.insert("d", "text")
    assert len(context) == 5
    assert "d" in context
    assert context.remove("d") == "text"
    assert context.remove("d") is None
    del context["c"]
    assert context.get("c", "other") == "other"
    context.update_from_dict({"e": 1})
    assert context.to_dict() == {"a": [1], "none": None, "b": True, "e": 1}
    assert cloaca.Context.from_json(context.to_json()).to_dict() == context.to_dict()
    assert repr(cloaca.Context({"a": 1})) == 'Context({"a": 1})'
    assert len(cloaca.Context()) == 0


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda c: c["missing"], KeyError),
        (lambda c: c["none"], KeyError),  # as the engines' binding has it
        (lambda c: c.__delitem__("missing"), KeyError),
        (lambda c: c.update("missing", 1), KeyError),
        (lambda c: c.insert("a", 1), ValueError),
        (lambda c: c.set("a", object()), TypeError),
        (lambda c: c.set("a", float("inf")), ValueError),
        (lambda c: c.set("a", {1: 2}), TypeError),
        (lambda c: c.secret("db"), RuntimeError),
        (lambda c: c.secret_field("db", "pw"), RuntimeError),
        (lambda c: Context([1]), TypeError),
        (lambda c: Context.from_json("[1]"), TypeError),
        (lambda c: Context.from_json("{"), ValueError),
    ],
)
def test_a_context_refuses(act, error):
    with pytest.raises(error):
        act(Context({"a": 1, "none": None}))


def test_rules_are_plain_values():
    assert cloaca.always() == {"type": "Always"}
    rule = cloaca.any_of(
        cloaca.task_failed("a"),
        cloaca.task_skipped("b"),
        cloaca.context_value("n", "greater_than", 3),
    )
    assert rule["type"] == "Any"
    assert rule["conditions"][2] == {
        "type": "ContextValue", "key": "n", "operator": "GreaterThan", "value": 3,
    }  # fmt: skip
    assert cloaca.none_of()["type"] == "None"
    assert cloaca.all_of(rule["conditions"][0])["conditions"] == [cloaca.task_failed("a")]
    with pytest.raises(ValueError, match="the operator of a trigger rule"):
        cloaca.context_value("n", "like", 3)


def test_a_rule_may_be_a_condition_on_a_value(registry):
    rule = cloaca.context_value("n", "==", 3)
    cloaca.task(id="one", trigger_rules=rule)(lambda context: None)
    assert declared(registry).trigger_rules["conditions"] == [rule]
    cloaca.task(id="one", trigger_rules=cloaca.always())(lambda context: None)
    assert declared(registry).trigger_rules == {"type": "Always"}


def test_triggers_poll_or_go_by_the_clock(registry):
    @cloaca.trigger(poll_interval="5m", on="flow")
    def inbox():
        return cloaca.TriggerResult.skip()

    cloaca.trigger(name="nightly", cron="0 3 * * *", on="flow", timezone="UTC")(inbox)
    cloaca.trigger(name="plain")(inbox)
    assert registry.triggers["inbox"].poll_interval == "5m"
    assert registry.triggers["nightly"].poll_interval is None
    assert registry.triggers["plain"].poll_interval == "30s"


@pytest.mark.parametrize(
    "keywords",
    [
        {"cron": "* * * * *"},
        {"cron": "* * * * *", "poll_interval": "1s", "on": "x"},
        {"poll_interval": "often"},
    ],
)
def test_a_trigger_that_is_none_is_refused(keywords):
    with pytest.raises(ValueError, match=r"cron|poll_interval"):
        cloaca.trigger(**keywords)


def test_results_of_triggers_old_and_new():
    from cloacina_ctl.runtime.host.cloaca_api.triggers import polled

    result = cloaca.TriggerResult
    assert polled(result.skip()) == (False, None)
    assert polled(result.fire(Context({"a": 1}))) == (True, {"a": 1})
    assert polled(result(should_fire=True, context={"b": 2})) == (True, {"b": 2})
    assert polled(True) == (True, None)
    assert polled(result.fire()) == (True, None)
    assert result.fire().is_fire_result()
    assert result.skip().is_skip_result()
    assert [repr(result.skip()), repr(result.fire()), repr(result.fire({}))] == [
        "TriggerResult.Skip", "TriggerResult.Fire(None)", "TriggerResult.Fire(<context>)",
    ]  # fmt: skip
    with pytest.raises(TypeError, match="returns a TriggerResult"):
        polled("yes")
    with pytest.raises(TypeError, match="fires with a Context"):
        polled(result.fire("x"))


def graph_of(routes):
    with cloaca.ComputationGraphBuilder("market", graph=routes) as builder:

        @cloaca.node
        def decide(context):
            return ("Buy", context.get("n")) if context.get("n") else ("Wait", None)

        @cloaca.node
        def buy(amount):
            return {"bought": amount}

        @cloaca.node
        def wait(_):
            return {"waited": True}

    return builder


def test_a_graph_without_a_reactor_routes_what_its_nodes_return(registry):
    graph_of(MARKET)
    graph = registry.graphs["market"]
    assert graph.run({}, context=Context({"n": 3})) == [("buy", {"bought": 3})]
    assert graph.run({}, context=Context()) == [("wait", {"waited": True})]


def test_a_graph_with_a_reactor_is_fed_by_its_accumulators(registry):
    @cloaca.stream_accumulator(type="kafka", topic="ticks")
    def ticks(event):
        return event

    cloaca.passthrough_accumulator(ticks)
    cloaca.polling_accumulator(interval="1s")(ticks)
    cloaca.batch_accumulator(flush_interval="1s", max_buffer_size=3)(ticks)
    cloaca.state_accumulator(capacity=3)(ticks)
    assert registry.accumulators["ticks"] == ("state", {"capacity": "3"})

    @cloaca.reactor(name="ticker", accumulators=["ticks"], mode="when_all")
    class Ticker:
        """A reactor."""

    nodes = {"double": {"inputs": ["ticks"], "next": "end"}, "end": {}}
    with cloaca.ComputationGraphBuilder("market", graph=nodes, reactor=Ticker) as builder:

        @cloaca.node
        def double(tick):
            return tick and 2 * tick

        @cloaca.node
        def end(value):
            return [value]

    assert builder.execute({"ticks": 4}) == [8]
    assert builder.execute({}) == [None]
    assert registry.reactors == {"ticker": (("ticks",), "when_all")}
    assert repr(builder) == "ComputationGraphBuilder(name='market', nodes=2)"
    with pytest.raises(ValueError, match="has a reactor"):
        cloaca.task(invokes=builder)(lambda context: None)


def test_mistakes_in_graphs_are_told(registry):
    build = cloaca.ComputationGraphBuilder
    with pytest.raises(ValueError, match="`react` belongs"):
        build("x", graph={}, react={})
    with pytest.raises(ValueError, match="a node outside"):
        cloaca.node(print)
    with pytest.raises(AttributeError, match="without a function"), build("x", graph={"a": {}}):
        pass
    with pytest.raises(ValueError, match="is not a node of"), build("x", graph={}):
        cloaca.node(lambda: None)
    with (
        pytest.raises(ValueError, match="no accumulator"),
        build("x", graph={"f": {"inputs": ["t"]}}),
    ):

        @cloaca.node
        def f(t):
            """A node."""

    with (
        pytest.raises(ValueError, match="wait for each other"),
        build("x", graph={"f": {"next": "f"}}),
    ):
        cloaca.node(f)
    with pytest.raises(KeyError), build("x", graph={}):
        raise KeyError
    assert not registry.graphs
    broken = graph_of(MARKET)
    broken.functions["decide"] = lambda context: "Buy"
    with pytest.raises(ValueError, match="must return a pair"):
        registry.graphs["market"].run({}, context=Context())


@pytest.mark.parametrize(
    "keywords",
    [
        {"name": "", "accumulators": ["a"]},
        {"name": "x", "accumulators": []},
        {"name": "x", "accumulators": ["a", "a"]},
        {"name": "x", "accumulators": ["a"], "mode": "when_it_rains"},
    ],
)
def test_a_reactor_that_is_none_is_refused(keywords):
    with pytest.raises(ValueError, match="reactor"):
        cloaca.reactor(**keywords)


def test_a_reactor_is_a_class():
    with pytest.raises(TypeError, match="class"):
        cloaca.reactor(name="x", accumulators=["a"])(lambda: None)


def test_a_task_invokes_a_graph_that_is_there(registry):
    builder = graph_of(
        {"buy": {}, "wait": {}, "decide": {"routes": {"Buy": "buy", "Wait": "wait"}}}
    )
    cloaca.task(id="one", invokes=builder, post_invocation=print)(lambda context: None)
    assert declared(registry).invokes == "market"
    with pytest.raises(ValueError, match="with `invokes`"):
        cloaca.task(post_invocation=print)(lambda context: None)
    with pytest.raises(TypeError, match="ComputationGraphBuilder"):
        cloaca.task(invokes="market")(lambda context: None)
    registry.graphs.clear()
    with pytest.raises(ValueError, match="no graph"):
        cloaca.task(invokes=builder)(lambda context: None)


def test_a_builder_is_a_scope_of_its_own(registry):
    with cloaca.WorkflowBuilder("other", tenant="t", package="p") as builder:
        builder.description("A workflow")
        builder.tag("team", "x")

        @cloaca.task()
        def one(context):
            """A task."""

        builder.add_task("one")
        builder.add_task(one)
        with pytest.raises(ValueError, match="Task 'two' not found in registry"):
            builder.add_task("two")
    assert registry.tasks.keys() == {(DeclaredFor("t", "p", "other"), "one")}
    workflow = builder.build()
    workflow.validate()
    assert (workflow.name, workflow.description) == ("other", "A workflow")
    assert [repr(builder), repr(workflow)] == [
        "WorkflowBuilder(name='other')", "Workflow(name='other')",
    ]  # fmt: skip
    cloaca.register_workflow_constructor("other", builder.build)
    with pytest.raises(TypeError, match="no Workflow"):
        cloaca.register_workflow_constructor("other", lambda: None)


def test_names_of_tasks_are_values():
    namespace = cloaca.TaskNamespace.from_string("t::p::w::x")
    assert namespace == cloaca.TaskNamespace("t", "p", "w", "x")
    assert hash(namespace) == hash(cloaca.TaskNamespace("t", "p", "w", "x"))
    assert namespace != "t::p::w::x"
    assert [str(namespace), repr(namespace)] == ["t::p::w::x", "TaskNamespace(t::p::w::x)"]
    with pytest.raises(ValueError, match="a namespace has"):
        cloaca.TaskNamespace.from_string("x")
    assert cloaca.WorkflowContext("t", "p", "w").workflow_id == "w"


def test_declarations_for_the_build_change_nothing():
    for decorator in (cloaca.workflow_params(n=int), cloaca.workflow_secrets("db")):
        assert decorator(print) is print
    with pytest.raises(RuntimeError, match="need a server"):
        cloaca.constructor("x")


def test_variables_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("CLOACINA_VAR_BROKER", "here")
    assert cloaca.var("BROKER") == "here"
    assert cloaca.var_or("NONE", "there") == "there"
    with pytest.raises(KeyError):
        cloaca.var("NONE")


def test_a_handle_waits_until_a_condition_holds():
    answers = [False, 1, True]
    handle = cloaca.TaskHandle()
    handle.defer_until(lambda: answers.pop(0), poll_interval_ms=1)
    assert not answers
    assert handle.is_slot_held()
