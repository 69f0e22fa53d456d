"""Evaluates `cfg` for a packaged build, by the crate's features; cargo is not run.

Features are known: those that are on by default, those that were chosen, and `packaged`, which
``package`` turns on. A platform, a profile and what a build script sets are known to the build
alone: what depends on them may be there or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.project.rust.syntax import (
    Attribute,
    path_of,
    spelled,
    split_list,
    text_of,
    text_value,
    tokens_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tree_sitter import Node

    from cloacina_ctl.project.model import BuildOptions, Crate

PACKAGED = "packaged"
ONE_WORKFLOW = (
    'make a crate of each, or put each behind a feature, as in `#[cfg(feature = "one")]`, and '
    "choose with --features and --no-default-features"
)
_MAX_DEPTH = 16
_NEVER = ("test", "doctest", "doc", "miri", "false")
# The compiler drops such functions of a library before it resolves a name in them.
_OF_TESTS = ("test", "bench")


def packaged_features(crate: Crate, options: BuildOptions) -> frozenset[str]:
    """Return the features that are on in the library that ``package`` builds."""
    return closure(dict(crate.enables), (*features_on(crate, options), PACKAGED))


def features_on(crate: Crate, options: BuildOptions) -> frozenset[str]:
    """Return the features of the crate that cargo turns on for these options."""
    chosen, by_default, all_ = list(options.features), options.default_features, False
    if options.cargo_flags:
        from cloacina_ctl.project.rust.cargo_workspace import CHOOSING_FEATURES, chosen_flags

        flags = chosen_flags(options.cargo_flags, CHOOSING_FEATURES)
        all_ = "--all-features" in flags
        by_default = by_default and "--no-default-features" not in flags
        chosen += _named(flags)
    names = {name for text in chosen for name in text.replace(",", " ").split()}
    if by_default and "default" in dict(crate.enables):
        names.add("default")
    if all_:
        names.update(dict(crate.enables))
    return closure(dict(crate.enables), names)


def _named(flags: Sequence[str]) -> Iterator[str]:
    """Yield the texts after ``--features`` and ``-F``, with ``=``, a space or nothing between."""
    for flag in flags:
        if flag.startswith("--"):
            yield flag.partition("=")[2]
        else:
            yield flag.removeprefix("-F").removeprefix("=")


def closure(enables: Mapping[str, Iterable[str]], names: Iterable[str]) -> frozenset[str]:
    """Return the features, with all that they turn on of the crate itself.

    ``dependency/feature`` turns on an optional dependency too, which is a feature by its name.
    """
    found: set[str] = set()
    left = list(names)
    while left:
        name, is_of_dependency, _ = left.pop().partition("/")
        of_others = is_of_dependency and name not in enables
        if name in found or of_others or name.startswith("dep:"):
            continue
        found.add(name)
        left += enables.get(name, ())
    return frozenset(found)


def holds(predicate: Sequence[Node], features: frozenset[str], depth: int = 0) -> bool | None:
    """Return whether a ``cfg`` predicate holds in a packaged build; None where it depends.

    The features in ``features`` are on, all others are off; ``test`` never holds.
    """
    if not predicate or depth > _MAX_DEPTH:
        return None
    name = text_of(predicate[0])
    if len(predicate) == 1:
        return False if name in _NEVER else True if name == "true" else None
    if name == "feature" and len(predicate) == 3:
        feature = text_value(predicate[2:])
        return None if feature is None else feature in features
    if len(predicate) != 2 or predicate[1].type != "token_tree":
        return None
    parts = [holds(part, features, depth + 1) for part in split_list(tokens_of(predicate[1]))]
    if name == "not" and len(parts) == 1:
        return None if parts[0] is None else not parts[0]
    if name == "all":
        return all_of(*parts)
    if name == "any":
        return True if True in parts else None if None in parts else False
    return None


def standing(attributes: Iterable[Attribute], features: frozenset[str]) -> bool | None:
    """Return whether the attributes leave their item in; None: it depends.

    A ``cfg`` decides that, and so does ``#[test]``, also as a framework's, such as `tokio::test`.
    """
    return all_of(*(_verdict(attribute, features) for attribute in attributes))


def all_of(*verdicts: bool | None) -> bool | None:
    """Return whether all hold; None where one that may not hold decides."""
    return False if False in verdicts else None if None in verdicts else True


def _verdict(attribute: Attribute, features: frozenset[str]) -> bool | None:
    if attribute.path == ("cfg",) and attribute.group is not None:
        return holds(tokens_of(attribute.group), features)
    if attribute.path[-1:] and attribute.path[-1] in _OF_TESTS:
        return False if attribute.is_certain else None
    return True


def attributes_of(item: Node, features: frozenset[str]) -> tuple[Attribute, ...]:
    """Return the attribute that the node is, or those that its ``cfg_attr`` stands for."""
    return tuple(
        attribute
        for child in item.children
        if child.type == "attribute"
        for attribute in _expanded(child, features)
    )


def _expanded(attribute: Node, features: frozenset[str]) -> tuple[Attribute, ...]:
    path, *tokens = attribute.children
    if tokens and tokens[0].type == "=":
        tokens = tokens[1:]
    first = Attribute(path=path_of(text_of(path)), tokens=tuple(tokens))
    if first.path != ("cfg_attr",) or first.group is None:
        return (first,)
    parts = list(split_list(tokens_of(first.group)))
    verdict = holds(parts[0], features) if parts else False
    if verdict is False:
        return ()
    return tuple(_attribute(part, is_certain=verdict is True) for part in parts[1:])


def _attribute(tokens: tuple[Node, ...], *, is_certain: bool) -> Attribute:
    """Return the attribute that a part of a ``cfg_attr`` spells."""
    ends = [n for n, token in enumerate(tokens) if token.type in ("token_tree", "=")]
    end = ends[0] if ends else len(tokens)
    value = tokens[end:]
    if value and value[0].type == "=":
        value = value[1:]
    path = path_of(spelled(tokens[:end]))
    return Attribute(path=path, tokens=value, from_cfg=True, is_certain=is_certain)


def features_in(tokens: Sequence[Node]) -> Iterator[str]:
    """Yield the features that a predicate names, whether it asks for them or for their absence."""
    left = [tuple(tokens)]
    while left:
        group = left.pop()
        left += [tokens_of(node) for node in group if node.type == "token_tree"]
        for name, _, value in zip(group, group[1:], group[2:], strict=False):
            text = text_value((value,))
            if text is not None and text_of(name) == "feature":
                yield text
