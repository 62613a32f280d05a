"""What a cell computes once its identity operations are folded: small cells by hand, and numbers put through cells."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.spaces import cells

NONE, SKIP, ONE, THREE, POOL = cells.OPS_201
OUT = ("input", "output")


def function(*ops):
    """The folded graph of a NAS-Bench-201 cell; operations in the order 0>1, 0>2, 1>2, 0>3, 1>3, 2>3."""
    return cells.fold(*cells.cell_201(ops), {SKIP})


def same(first, second) -> bool:
    return cells.iso_hash(*first) == cells.iso_hash(*second)


def test_a_skip_before_or_behind_an_operation_is_nothing():
    alone = function(NONE, NONE, NONE, THREE, NONE, NONE)
    assert alone == (("input", THREE, "output"), ((0, 1), (1, 2)))
    assert function(SKIP, NONE, NONE, NONE, THREE, NONE) == alone == function(THREE, NONE, SKIP, NONE, NONE, SKIP)


def test_a_cell_of_skips_adds_its_input_up():
    """0>3, 0>1>3, 0>2>3 and 0>1>2>3: four times the input; without 1>2 three times."""
    assert function(SKIP, SKIP, SKIP, SKIP, SKIP, SKIP) == (OUT, ((0, 1),) * 4)
    assert function(SKIP, SKIP, NONE, SKIP, SKIP, SKIP) == (OUT, ((0, 1),) * 3)
    assert function(NONE, NONE, NONE, SKIP, NONE, NONE) == (OUT, ((0, 1),))
    assert function(NONE, NONE, NONE, NONE, NONE, NONE) == (OUT, ())


def test_how_often_an_input_is_added_counts():
    """x + conv(x) in two ways, by 0>1>3 beside 0>2>3 and by 0>3 beside 0>2>3; and 2 x + conv(x)."""
    by_node, at_once = function(SKIP, THREE, NONE, NONE, SKIP, SKIP), function(NONE, THREE, NONE, SKIP, NONE, SKIP)
    twice = function(SKIP, THREE, NONE, SKIP, SKIP, SKIP)
    assert by_node == at_once == (("input", THREE, "output"), ((0, 1), (0, 2), (1, 2)))
    assert twice == (("input", THREE, "output"), ((0, 1), (0, 2), (0, 2), (1, 2))) and not same(at_once, twice)


def test_one_convolution_added_twice_is_not_two_convolutions():
    """c = conv(x): c + c, by 1>3 and 1>2>3; and conv(x) + conv'(x)."""
    assert function(THREE, NONE, SKIP, NONE, SKIP, SKIP) == (("input", THREE, "output"), ((0, 1), (1, 2), (1, 2)))
    two = function(THREE, NONE, NONE, THREE, SKIP, NONE)
    assert two.labels == ("input", THREE, THREE, "output") and len(two.edges) == 4


def test_dead_skips_are_dropped_not_folded():
    executed = cells.cell_201((SKIP, NONE, SKIP, THREE, NONE, NONE), executed=True)
    assert SKIP in executed.labels
    assert cells.fold(*executed, {SKIP}) == function(NONE, NONE, NONE, THREE, NONE, NONE)


def test_without_identities_nothing_changes():
    cell = cells.cell_201((THREE, SKIP, ONE, NONE, POOL, THREE))
    assert cells.fold(*cell, ()) == cell


@st.composite
def graphs(draw):
    n = draw(st.integers(2, 7))
    labels = ["input", *draw(st.lists(st.sampled_from("abs"), min_size=n - 2, max_size=n - 2)), "output"]
    edges = [pair for pair in itertools.combinations(range(n), 2) if draw(st.booleans())]
    return cells.prune(labels, edges)


def value(cell: cells.Cell, weights: list[float]) -> float:
    """A number put through a cell: `s` hands its input on; any other operation has a weight of its own, in order."""
    free, values = iter(weights), []
    for node, label in enumerate(cell.labels):
        total = sum(values[a] for a, b in cell.edges if b == node) if node else 0.7
        values.append(math.sin(next(free) * total + 0.1) if label in ("a", "b") else total)
    return values[-1]


@given(graphs(), st.lists(st.floats(-2, 2), min_size=5, max_size=5))
def test_the_folded_graph_computes_the_same(cell, weights):
    folded = cells.fold(*cell, {"s"})
    assert "s" not in folded.labels
    assert value(folded, weights) == pytest.approx(value(cell, weights))


def test_the_whole_space_has_the_known_number_of_functions():
    every = [cells.cell_201(ops) for ops in itertools.product(cells.OPS_201, repeat=6)]
    table = cells.graphs_frame([str(i) for i in range(len(every))], "nasbench201", every, cells.VOCAB_201)
    found = cells.function_classes(table, cells.VOCAB_201, {SKIP})
    by_class = {}
    for iso, of_function in zip(table["iso"].to_list(), found.tolist(), strict=True):
        assert by_class.setdefault(iso, of_function) == of_function  # isomorphic cells compute one function
    assert len(by_class) == cells.N_CLASSES_201[False] and len(set(found.tolist())) == cells.N_FUNCTIONS_201
