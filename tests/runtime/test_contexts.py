"""What becomes of contexts where several meet."""

import json

from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.runtime.scheduler.context import MAX_DEPTH, merged, overlaid

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
)
CONTEXTS = st.dictionaries(st.sampled_from("abc"), VALUES)


@given(st.lists(CONTEXTS, max_size=4))
def test_every_key_of_all_is_there_and_nothing_given_has_changed(contexts):
    before = json.dumps(contexts)
    assert merged(contexts).keys() == {key for context in contexts for key in context}
    assert overlaid(contexts).keys() == merged(contexts).keys()
    assert json.dumps(contexts) == before


def one_after_the_other(first, second):
    """Return the two merged as the engines' executor merges each into what came before."""
    if isinstance(first, list) and isinstance(second, list):
        result = list(first)
        for one in second:
            if json.dumps(one, sort_keys=True) not in [
                json.dumps(other, sort_keys=True) for other in result
            ]:
                result.append(one)
        return result
    if isinstance(first, dict) and isinstance(second, dict):
        return {
            key: one_after_the_other(first[key], second[key])
            if key in first and key in second
            else {**first, **second}[key]
            for key in {**first, **second}
        }
    return second


@given(st.lists(CONTEXTS, min_size=1, max_size=5))
def test_all_at_once_is_one_after_the_other(contexts):
    expected = contexts[0]
    for context in contexts[1:]:
        expected = one_after_the_other(expected, context)
    assert json.dumps(merged(contexts)) == json.dumps(expected)


@given(CONTEXTS)
def test_one_context_stays_as_it_is(context):
    assert merged([context]) == context == overlaid([{}, context])


@given(CONTEXTS, CONTEXTS)
def test_merging_again_changes_nothing(one, other):
    both = merged([one, other])
    assert merged([both, other]) == both


def test_lists_join_without_repeating_objects_merge_else_the_last_wins():
    one = {"list": [1, 2], "deep": {"x": 1, "in": [1]}, "plain": 1, "kind": [1]}
    other = {"list": [2, True, 3, 3], "deep": {"y": 2, "in": [2]}, "plain": 2, "kind": "text"}
    assert json.dumps(merged([one, other])) == json.dumps(
        {
            "list": [1, 2, True, 3],
            "deep": {"x": 1, "in": [1, 2], "y": 2},
            "plain": 2,
            "kind": "text",
        }
    )


def test_what_is_nested_too_deeply_is_not_merged():
    def nested(leaf):
        value = {leaf: 1}
        for _ in range(MAX_DEPTH + 5):
            value = {"a": value}
        return value

    value = merged([nested("x"), nested("y")])
    while "a" in value:
        value = value["a"]
    assert value == {"y": 1}
