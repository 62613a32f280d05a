"""The cell space of NAS-Bench-101 against brute force, hand-worked parameter counts, and published cells."""

import hashlib
import itertools
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.convert import nasbench101_cec
from pipeline.spaces import cells, md5_batch, nasbench101
from pipeline.spaces.nasbench101_hash import module_hashes

CONV3, CONV1, POOL = nasbench101.OPS
# Three runs of the released table name this cell so; it has 8,555,530 parameters.
PUBLISHED = "00005c142e6f48ac74fdcf73e3439874"
PUBLISHED_CELL = cells.Cell(
    ("input", CONV3, POOL, CONV3, CONV3, CONV1, "output"),
    ((0, 1), (0, 4), (0, 5), (1, 2), (2, 3), (2, 6), (3, 5), (4, 5), (5, 6)),
)


def space_of(*found):
    """Cells as arrays."""
    rows = [
        (
            len(cell.labels),
            sum(1 << x + y * (y - 1) // 2 for x, y in cell.edges),
            int("0" + "".join(str(nasbench101.OPS.index(label)) for label in cell.labels[1:-1]), 3),
        )
        for cell in found
    ]
    return nasbench101.Space(*(np.array(column) for column in zip(*rows, strict=True)))


def cells_of(space):
    return [nasbench101.cell(*row) for row in zip(*(column.tolist() for column in space), strict=True)]


@pytest.fixture(scope="session")
def small_space():
    return nasbench101.enumerate_cells(max_vertices=5)


@pytest.fixture(scope="session")
def whole_space():
    return nasbench101.enumerate_cells()


def every_cell(n):
    """All cells of n vertices, isomorphic ones included, in the order of the official generator."""
    pairs = [(x, y) for y in range(n) for x in range(y)]
    for bits in range(2 ** len(pairs)):
        edges = tuple(sorted(pair for place, pair in enumerate(pairs) if bits >> place & 1))
        if not edges or len(edges) > 9 or len(cells.prune([""] * n, edges).labels) < n:
            continue
        for inner in itertools.product(nasbench101.OPS, repeat=n - 2):
            yield cells.Cell(("input", *inner, "output"), edges)


def drawn(cell):
    graph = nx.DiGraph(cell.edges)
    nx.set_node_attributes(graph, dict(enumerate(cell.labels)), "label")
    return graph


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_enumeration_is_that_of_brute_force(small_space, n):
    classes = {}  # by what isomorphic cells share: one graph a class found so far
    firsts = []
    for cell in every_cell(n):
        graph = drawn(cell)
        shared = tuple(sorted((label, graph.in_degree(v), graph.out_degree(v)) for v, label in enumerate(cell.labels)))
        known = classes.setdefault(shared, [])
        if not any(nx.is_isomorphic(graph, other, lambda a, b: a["label"] == b["label"]) for other in known):
            known.append(graph)
            firsts.append(cell)
    assert [cell for cell in cells_of(small_space) if len(cell.labels) == n] == firsts


def test_the_whole_space_has_the_known_counts(whole_space):
    sizes, counts = np.unique(whole_space.n, return_counts=True)
    assert dict(zip(sizes.tolist(), counts.tolist(), strict=True)) == nasbench101.BY_VERTICES
    assert len(whole_space.n) == sum(nasbench101.BY_VERTICES.values()) == nasbench101.N_CELLS == 423_624
    assert np.bitwise_count(whole_space.bits).max() == 9
    params = nasbench101.parameters(whole_space)
    assert (params.min(), params.max()) == (227_274, 49_979_274)


def test_the_command_line_counts_the_space():
    command = [sys.executable, "-m", "pipeline.convert.nasbench101", "--enumerate"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "7 vertices: 359,082 cells of 1,164,699" in shown and "\n423,624 cells, " in shown


def test_a_published_cell(whole_space):
    one = space_of(PUBLISHED_CELL)
    assert module_hashes(one).tobytes().hex() == PUBLISHED
    assert nasbench101.parameters(one).tolist() == [8_555_530]
    alike = (whole_space.n == one.n) & (whole_space.bits == one.bits) & (whole_space.code == one.code)
    assert alike.sum() == 1  # the released table writes the cell as the enumeration does


def test_parameters_by_hand():
    # A projection alone, c channels to d: c d + 2 d.
    # Stem 27 * 128 + 256 = 3,712. Stacks: 3 * 16,640; 33,280 + 2 * 66,048; 132,096 + 2 * 263,168. Dense 5,130.
    bare = cells.Cell(("input", "output"), ((0, 1),))
    assert nasbench101.parameters(space_of(bare)).tolist() == [882_570]
    # In between a convolution: 9 c c + 2 c or c c + 2 c more in each cell; a pooling adds nothing.
    chains = [cells.Cell(("input", op, "output"), ((0, 1), (1, 2))) for op in (CONV3, CONV1, POOL)]
    more3 = 3 * (147_712 + 590_336 + 2_360_320)
    more1 = 3 * (16_640 + 66_048 + 263_168)
    assert nasbench101.parameters(space_of(*chains)).tolist() == [882_570 + more3, 882_570 + more1, 882_570]
    # The input joins the output as well: a second projection in each cell.
    skip = cells.Cell(("input", POOL, "output"), ((0, 1), (0, 2), (1, 2)))
    assert nasbench101.parameters(space_of(skip)).tolist() == [2 * 882_570 - 3_712 - 5_130]


def test_channels_by_hand():
    three = cells.Cell(("input", CONV3, CONV3, CONV3, "output"), ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)))
    adj = nasbench101.adjacency(5, space_of(three).bits)
    assert nasbench101.vertex_channels(5, adj, 128).tolist() == [[43, 43, 42]]
    assert nasbench101.vertex_channels(5, adj, 256).tolist() == [[86, 85, 85]]
    # Vertex 1 feeds 2 and 3 alone, which share the output: as wide as the wider.
    fork = cells.Cell(("input", CONV3, POOL, CONV1, "output"), ((0, 1), (1, 2), (1, 3), (2, 4), (3, 4)))
    assert nasbench101.vertex_channels(5, nasbench101.adjacency(5, space_of(fork).bits), 129).tolist() == [[65, 65, 64]]


def first_of_class(cell):
    """The isomorphic cell that comes first by edges, then operations, among all topological orders."""
    n, children = len(cell.labels), [[y for x, y in cell.edges if x == v] for v in range(len(cell.labels))]
    found = []

    def extend(order, waiting):
        if len(order) == n:
            place = {v: p for p, v in enumerate(order)}
            edges = tuple(sorted((place[x], place[y]) for x, y in cell.edges))
            found.append(cells.Cell(tuple(cell.labels[v] for v in order), edges))
        for v in [v for v, count in waiting.items() if not count]:
            rest = {w: count - (w in children[v]) for w, count in waiting.items() if w != v}
            extend([*order, v], rest)

    extend([], {v: sum(y == v for _, y in cell.edges) for v in range(n)})
    space = space_of(*found)
    return found[np.lexsort((space.code, space.bits))[0]]


@settings(deadline=None)
@given(st.integers(0, nasbench101.N_CELLS - 1))
def test_the_enumeration_holds_the_first_of_each_class(whole_space, index):
    cell = nasbench101.cell(*(int(column[index]) for column in whole_space))
    assert first_of_class(cell) == cell


@pytest.mark.real_data
def test_parameters_of_all_sampled_cells(mirror):
    encodings, records = nasbench101_cec._read(mirror / "nasbench101_cec" / "train_data_50000.pkl")
    first = space_of(*(first_of_class(nasbench101_cec.decode(row)) for row in encodings))
    assert len(records) == 6_760
    assert nasbench101.parameters(first).tolist() == [record["params"] for record in records]


def hash_of(cell):
    """The graph hash as the paper's repository defines it, one cell at a time."""

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    vertices = range(len(cell.labels))
    sources = [[x for x, y in cell.edges if y == v] for v in vertices]
    targets = [[y for x, y in cell.edges if x == v] for v in vertices]
    numbers = {"input": -1, "output": -2, CONV3: 0, CONV1: 1, POOL: 2}
    now = [md5(str((len(targets[v]), len(sources[v]), numbers[cell.labels[v]]))) for v in vertices]
    for _ in vertices:
        joined = [["".join(sorted(now[w] for w in side[v])) for side in (sources, targets)] for v in vertices]
        now = [md5("|".join([*joined[v], now[v]])) for v in vertices]
    return md5(str(sorted(now)))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, nasbench101.N_CELLS - 1), min_size=50, max_size=50))
def test_hashes_are_those_of_the_definition(whole_space, indices):
    some = nasbench101.Space(*(column[indices] for column in whole_space))
    assert [row.tobytes().hex() for row in module_hashes(some)] == [hash_of(cell) for cell in cells_of(some)]


def test_isomorphic_cells_have_one_hash_and_others_do_not():
    every = list(every_cell(4)) + list(every_cell(5))
    hashes = [row.tobytes() for row in module_hashes(space_of(*every))]
    assert len(set(hashes)) == len(set(map(first_of_class, every))) == 84 + 2_441


@pytest.mark.slow
def test_no_two_cells_of_the_space_share_a_hash(whole_space):
    assert len(np.unique(module_hashes(whole_space), axis=0)) == nasbench101.N_CELLS


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 5), st.integers(0, 99))
def test_batched_md5_is_md5(length, count, seed):
    messages = np.random.default_rng(seed).integers(0, 256, (count, length), dtype=np.uint8)
    content = md5_batch.padded(count, length)
    content[:, :length] = messages
    assert [row.tobytes() for row in md5_batch.digests(content)] == [
        hashlib.md5(row.tobytes()).digest() for row in messages
    ]
