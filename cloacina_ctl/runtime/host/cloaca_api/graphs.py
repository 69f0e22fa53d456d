"""Computation graphs: nodes, accumulators, reactors, and running a graph once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cloacina_ctl.runtime.host.cloaca_api.context import json_value
from cloacina_ctl.runtime.host.cloaca_api.registry import REGISTRY
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from typing_extensions import Self

    F = TypeVar("F", bound=Callable[..., object])

_MODES = ("when_any", "when_all")


class Node(NamedTuple):
    """A node: the accumulators that it reads, and the nodes that get its result.

    ``routes`` are pairs of variant and node; a route without a variant takes all results. A node
    without routes is an end of the graph.
    """

    name: str
    inputs: tuple[str, ...] = ()
    routes: tuple[tuple[str | None, str], ...] = ()


class BuiltGraph(NamedTuple):
    """A graph with its nodes in an order to run them; ``reactor`` feeds it."""

    name: str
    nodes: tuple[Node, ...]
    functions: Mapping[str, Callable[..., object]]
    reactor: str | None = None
    mode: str = ""
    accumulators: tuple[str, ...] = ()

    def run(self, inputs: Mapping[str, Any], context: object = None) -> list[tuple[str, Any]]:
        """Run it once and return the result of each end that was reached, in order."""
        results: dict[str, object] = {}
        ends: list[tuple[str, Any]] = []
        for node in self.nodes:
            sources = self._sources(node)
            arrived = [results[key] for key in map(_key, sources) if key in results]
            if sources and not arrived:
                continue
            given: list[object] = [inputs.get(name) for name in node.inputs] + arrived
            if not given and context is not None:
                given = [context]
            result = self.functions[node.name](*given)
            if node.routes:
                results.update(_routed(node, result))
            else:
                ends.append((node.name, json_value(result)))
        return ends

    def _sources(self, node: Node) -> list[tuple[str, str | None]]:
        return [
            (other.name, variant)
            for other in self.nodes
            for variant, target in other.routes
            if target == node.name
        ]


def _key(source: tuple[str, str | None]) -> str:
    name, variant = source
    return name if variant is None else f"{name}:{variant}"


def _routed(node: Node, result: object) -> Iterator[tuple[str, object]]:
    if node.routes[0][0] is None:
        yield node.name, result
        return
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[0], str):
        raise ValueError(f"`{node.name}` has routes, so it must return a pair (route, value)")
    yield f"{node.name}:{result[0]}", result[1]


class ComputationGraphBuilder:
    """The scope in which the nodes of a graph are declared; at its end the graph is built."""

    _open: ComputationGraphBuilder | None = None

    def __init__(
        self,
        name: str,
        *,
        graph: Mapping[str, Mapping[str, Any]],
        reactor: object = None,
        react: object = None,
    ) -> None:
        if react is not None:
            raise ValueError(
                "`react` belongs to releases up to 0.5: write a class with @cloaca.reactor and "
                "pass it as `reactor`"
            )
        self.NAME = name
        self._nodes = tuple(_node(key, value) for key, value in graph.items())
        self._reactor = reactor
        self.functions: dict[str, Callable[..., object]] = {}

    def __enter__(self) -> Self:
        ComputationGraphBuilder._open = self
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        ComputationGraphBuilder._open = None
        if kind is None:
            self._check()
            reactor = self._reactor
            REGISTRY.graphs[self.NAME] = BuiltGraph(
                name=self.NAME,
                nodes=_in_order(self._nodes),
                functions=self.functions,
                reactor=getattr(reactor, "NAME", None),
                mode=getattr(reactor, "REACTION_MODE", ""),
                accumulators=tuple(getattr(reactor, "ACCUMULATORS", ())),
            )

    def execute(self, inputs: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Run the graph once and return the result of its last end."""
        ends = REGISTRY.graphs[self.NAME].run(json_value(dict(inputs)))
        return ends[-1][1] if ends else None

    def _check(self) -> None:
        names = {node.name for node in self._nodes}
        for name in names - self.functions.keys():
            raise AttributeError(
                f"`{self.NAME}` has a node `{name}` without a function: decorate one of that "
                "name with @cloaca.node"
            )
        for name in self.functions.keys() - names:
            raise ValueError(
                f"the function `{name}` is not a node of `{self.NAME}`: add it to `graph`"
            )
        known = getattr(self._reactor, "ACCUMULATORS", ())
        for node in self._nodes:
            for name in node.inputs:
                if name not in known:
                    raise ValueError(
                        f"`{node.name}` of `{self.NAME}` takes `{name}`, and its reactor has no "
                        "accumulator of that name"
                    )

    def __repr__(self) -> str:
        return f"ComputationGraphBuilder(name='{self.NAME}', nodes={len(self._nodes)})"


def node(function: F) -> F:
    """Declare a function as a node of the graph of the enclosing scope."""
    builder = ComputationGraphBuilder._open  # noqa: SLF001 - the scope is of this module
    if builder is None:
        raise ValueError("a node outside of `with cloaca.ComputationGraphBuilder(…):`")
    builder.functions[function.__name__] = function
    return function


def reactor(
    *, name: str, accumulators: Sequence[str], mode: str = "when_any"
) -> Callable[[type], type]:
    """Return the decorator that makes a class the name of a reactor."""
    if not name:
        raise ValueError("a reactor needs a name")
    if not accumulators or len(set(accumulators)) != len(accumulators):
        raise ValueError("`accumulators` of a reactor are one or more different names")
    if mode not in _MODES:
        raise ValueError(f"a reactor's mode is {' or '.join(_MODES)}, not: {mode}")

    def declare(decorated: type) -> type:
        if not isinstance(decorated, type):
            raise TypeError("@cloaca.reactor decorates a class")
        for attribute, value in (
            ("NAME", name), ("ACCUMULATORS", list(accumulators)), ("REACTION_MODE", mode),
        ):  # fmt: skip
            setattr(decorated, attribute, value)
        REGISTRY.reactors[name] = (tuple(accumulators), mode)
        return decorated

    return declare


def passthrough_accumulator(function: F) -> F:
    """Declare an accumulator that passes its values on."""
    REGISTRY.accumulators[function.__name__] = ("passthrough", {})
    return function


def stream_accumulator(*, type: str, topic: str, group: str | None = None) -> Callable[[F], F]:  # noqa: A002 - given
    """Return the decorator of an accumulator that reads a stream."""
    return _accumulator("stream", {"type": type, "topic": topic, "group": group})


def polling_accumulator(*, interval: str) -> Callable[[F], F]:
    """Return the decorator of an accumulator that polls."""
    return _accumulator("polling", {"interval": interval})


def batch_accumulator(
    *, flush_interval: str, max_buffer_size: int | None = None
) -> Callable[[F], F]:
    """Return the decorator of an accumulator that collects batches."""
    config = {"flush_interval": flush_interval, "max_buffer_size": max_buffer_size}
    return _accumulator("batch", config)


def state_accumulator(*, capacity: int) -> Callable[[F], F]:
    """Return the decorator of an accumulator that keeps state."""
    return _accumulator("state", {"capacity": capacity})


def _accumulator(kind: str, config: Mapping[str, object]) -> Callable[[F], F]:
    said = {key: str(value) for key, value in config.items() if value is not None}

    def declare(function: F) -> F:
        REGISTRY.accumulators[function.__name__] = (kind, said)
        return function

    return declare


def _node(name: str, said: Mapping[str, Any]) -> Node:
    routes: tuple[tuple[str | None, str], ...] = tuple(said.get("routes", {}).items())
    if "next" in said:
        routes = ((None, said["next"]),)
    return Node(name=name, inputs=tuple(said.get("inputs", ())), routes=routes)


def _in_order(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return the nodes, each after its sources. Raises ``ValueError`` for a cycle."""
    left = {node.name: node for node in nodes}
    ordered: list[Node] = []
    while left:
        targets = {target for node in left.values() for _, target in node.routes}
        free = [node for name, node in left.items() if name not in targets]
        if not free:
            raise ValueError(f"nodes that wait for each other: {', '.join(left)}")
        ordered += [left.pop(node.name) for node in free]
    return tuple(ordered)
