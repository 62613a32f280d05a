"""Cells as graphs, pruning, and the isomorphism hash: against networkx on small graphs, and known facts."""

import itertools
import random
import subprocess
import sys

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.spaces import cells

LABELS = ("a", "b")


@st.composite
def dags(draw, max_nodes=6):
    n = draw(st.integers(1, max_nodes))
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=n, max_size=n))
    pairs = list(itertools.combinations(range(n), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return labels, sorted(edges)


def as_networkx(labels, edges):
    graph = nx.DiGraph()
    graph.add_nodes_from((node, {"label": label}) for node, label in enumerate(labels))
    graph.add_edges_from(edges)
    return graph


def isomorphic(first, second):
    return nx.is_isomorphic(as_networkx(*first), as_networkx(*second), lambda a, b: a["label"] == b["label"])


def reordered(labels, edges, rng):
    """The same graph with its nodes in another random topological order."""
    graph = as_networkx(labels, edges)
    order, ready = [], [node for node in graph if graph.in_degree(node) == 0]
    while ready:
        node = ready.pop(rng.randrange(len(ready)))
        order.append(node)
        for child in list(graph.successors(node)):
            graph.remove_edge(node, child)
            if graph.in_degree(child) == 0:
                ready.append(child)
    position = {node: index for index, node in enumerate(order)}
    return [labels[node] for node in order], sorted((position[a], position[b]) for a, b in edges)


@given(dags(), st.randoms(use_true_random=False))
def test_isomorphic_graphs_have_equal_hashes(graph, rng):
    other = reordered(*graph, rng)
    assert isomorphic(graph, other)
    assert cells.iso_hash(*graph) == cells.iso_hash(*other)


@settings(max_examples=300)
@given(dags(max_nodes=4), dags(max_nodes=4))
def test_hashes_of_small_graphs_differ_exactly_when_they_are_not_isomorphic(first, second):
    assert (cells.iso_hash(*first) == cells.iso_hash(*second)) == isomorphic(first, second)


def test_the_hash_is_exact_on_all_unlabelled_graphs_of_5_nodes():
    pairs = list(itertools.combinations(range(5), 2))
    by_hash = {}
    for bits in range(2 ** len(pairs)):
        edges = [pair for index, pair in enumerate(pairs) if bits >> index & 1]
        by_hash.setdefault(cells.iso_hash("aaaaa", edges), []).append(edges)
    assert len(by_hash) == 302  # unlabelled acyclic digraphs on 5 nodes: OEIS A003087


def test_direction_and_labels_count():
    assert cells.iso_hash("abb", [(0, 1), (0, 2)]) != cells.iso_hash("bba", [(0, 2), (1, 2)])
    assert cells.iso_hash("ab", [(0, 1)]) != cells.iso_hash("ba", [(0, 1)])
    assert cells.iso_hash(["ab"], []) != cells.iso_hash(["a"], [])


def test_the_hash_is_the_same_on_every_machine_and_in_every_process():
    expected = cells.iso_hash(["input", "x", "output"], [(0, 1), (1, 2)])
    code = "from pipeline.spaces import cells; print(cells.iso_hash(['input', 'x', 'output'], [(0, 1), (1, 2)]))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(shown.stdout) == expected == HASH_OF_A_CHAIN


HASH_OF_A_CHAIN = 12395787877443733562


def test_the_hash_scales_to_deep_and_wide_graphs(monkeypatch):
    """A few sweeps over the nodes, there and back, are enough."""
    colour, calls = cells._colour, []
    monkeypatch.setattr(cells, "_colour", lambda *parts: calls.append(parts[0]) or colour(*parts))
    rng = random.Random(0)
    chain = [(node - 1, node) for node in range(1, 2000)]
    wide = [(0, node) for node in range(1, 1999)] + [(node, 1999) for node in range(1, 1999)]
    skips = sorted({(rng.randrange(max(0, node - 6), node), node) for node in range(1, 2000)} | set(chain))
    hashes = {cells.iso_hash(["a"] * 2000, edges) for edges in (chain, wide, skips)}
    assert len(hashes) == 3
    assert len(calls) <= 3 * (3 * 2 * 2000 + 1)


def test_edges_against_the_order_are_refused():
    for edges in ([(1, 0)], [(0, 0)], [(0, 5)], [(-1, 1)]):
        with pytest.raises(ValueError):
            cells.iso_hash("ab", edges)


@given(dags())
def test_prune_keeps_exactly_the_nodes_on_a_path_from_first_to_last(graph):
    labels, edges = graph
    drawn, last = as_networkx(labels, edges), len(labels) - 1
    kept = {0, last} | (nx.descendants(drawn, 0) & nx.ancestors(drawn, last))
    pruned = cells.prune(labels, edges)
    assert list(pruned.labels) == [labels[node] for node in sorted(kept)]
    assert len(pruned.edges) == drawn.subgraph(kept).number_of_edges()
    assert cells.prune(*pruned) == pruned


def test_a_cell_by_hand():
    # 0-1 conv3x3, 0-2 skip, 1-2 none, 0-3 none, 1-3 pool, 2-3 conv1x1
    ops = ("nor_conv_3x3", "skip_connect", "none", "none", "avg_pool_3x3", "nor_conv_1x1")
    cell = cells.cell_201(ops)
    assert cell.labels == ("input", "nor_conv_3x3", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "output")
    assert cell.edges == ((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5))


def test_dead_operations_are_dropped_and_a_disconnected_cell_has_two_nodes():
    assert cells.cell_201(("none",) * 6) == (("input", "output"), ())
    dead = ("nor_conv_3x3", "none", "none", "none", "none", "nor_conv_3x3")  # 0-1 and 2-3 meet nothing
    assert cells.cell_201(dead) == (("input", "output"), ())
    alone = cells.Cell(("input", "nor_conv_3x3", "nor_conv_3x3", "output"), ((0, 1), (2, 3)))
    assert cells.cell_201(dead, executed=True) == alone
    direct = ("nor_conv_3x3", "none", "none", "skip_connect", "none", "nor_conv_3x3")
    assert cells.cell_201(direct) == (("input", "skip_connect", "output"), ((0, 1), (1, 2)))


@pytest.mark.parametrize(("executed", "inputs", "classes"), [(False, 9_365, 8_765), (True, 15_425, 14_125)])
def test_the_whole_space_has_the_known_counts_and_a_valid_table(executed, inputs, classes):
    archs = list(itertools.product(cells.OPS_201, repeat=6))
    graphs_201 = [cells.cell_201(ops, executed) for ops in archs]
    names = [cells.format_arch(ops) for ops in archs]
    graphs = cells.graphs_frame(names, "nasbench201", graphs_201, cells.VOCAB_201)
    meta = {"dataset": "x", "version": "1", "op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0}
    schema.check_graphs(graphs, meta)
    assert len(archs) == cells.N_CELLS_201 == 15_625
    assert len(set(graphs_201)) == cells.N_INPUTS_201[executed] == inputs
    assert graphs["iso"].n_unique() == cells.N_CLASSES_201[executed] == classes
    assert (graphs["n_nodes"].min(), graphs["n_nodes"].max()) == (2, 8)


@given(st.lists(st.sampled_from(cells.OPS_201), min_size=6, max_size=6))
def test_architecture_strings_round_trip(ops):
    assert cells.parse_arch(cells.format_arch(ops)) == tuple(ops)


@pytest.mark.parametrize(
    "arch",
    [
        "",
        "|none~0|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|conv~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2",
        "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2||none~3|",
    ],
)
def test_wrong_architecture_strings_are_refused(arch):
    with pytest.raises(BenchError, match="not a NAS-Bench-201 architecture string"):
        cells.parse_arch(arch)


def test_naslib_codes_are_put_in_the_order_of_the_architecture_string():
    # edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3 hold codes 0, 1, 2, 3, 4, 0
    ops = cells.from_naslib((0, 1, 2, 3, 4, 0))
    assert ops == ("skip_connect", "none", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "skip_connect")


@pytest.mark.parametrize("codes", [(0,) * 5, (0,) * 7, (0, 1, 2, 3, 4, 5), (0, 0, 0, 0, 0, -1), (0.0,) * 6, ("0",) * 6])
def test_wrong_naslib_codes_are_refused(codes):
    with pytest.raises(BenchError, match="not 6 operation codes"):
        cells.from_naslib(codes)
