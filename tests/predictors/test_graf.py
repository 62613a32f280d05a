"""Neural graph features against hand-worked values."""

from __future__ import annotations

import torch

from pipeline.spaces import cells
from predictors.kit.graph_statistics import of_subsets, subsets
from tests.helpers.cell_graphs import EMPTY, TWO_WAYS, graphs_of

SKIP, CONV1, CONV3 = (cells.VOCAB_201.index(name) for name in ("skip_connect", "nor_conv_1x1", "nor_conv_3x3"))
CHAIN = cells.Cell(("input", "nor_conv_3x3", "nor_conv_3x3", "output"), ((0, 1), (1, 2), (2, 3)))


def features(cell: cells.Cell, *ops: int) -> list[float]:
    """Of one cell among others, for one subset."""
    graphs = graphs_of(CHAIN, cell, EMPTY)
    allowed = torch.tensor([[o in ops for o in range(len(graphs.vocab))]])
    return of_subsets(graphs, allowed)[1].tolist()


def test_subsets_are_all_of_them_without_the_ends():
    sets = subsets(cells.VOCAB_201)
    assert len(sets) == len(set(sets)) == 15
    assert set().union(*sets) == {2, 3, 4, 5}
    many = subsets(["input", "output", *"abcdefg"])
    assert many == [*((o,) for o in range(2, 9)), tuple(range(2, 9))]


def test_paths_and_degrees_of_a_cell_with_two_ways():
    #                                  fewest, most, out of the input, into the output, mean in, mean out
    assert features(TWO_WAYS, CONV3) == torch.tensor([1, 1, 1, 1, 0.2, 0.2]).double().tolist()
    assert features(TWO_WAYS, SKIP, CONV1) == torch.tensor([2, 2, 1, 1, 0.4, 0.4]).double().tolist()
    assert features(TWO_WAYS, SKIP, CONV1, CONV3) == torch.tensor([1, 2, 2, 2, 0.6, 0.6]).double().tolist()


def test_no_path_within_the_subset():
    """The fewest are the number of nodes, the most -1; the degrees still count."""
    assert features(TWO_WAYS, SKIP) == torch.tensor([5, -1, 1, 0, 0.2, 0.2]).double().tolist()
    assert features(EMPTY, SKIP, CONV1, CONV3) == [2, -1, 0, 0, 0, 0]


def test_paths_agree_with_a_walk_over_all_of_them():
    """Every path of random cells, listed one by one."""
    draw = torch.Generator().manual_seed(0)
    drawn = [
        cells.cell_201([cells.OPS_201[o] for o in row]) for row in torch.randint(5, (60, 6), generator=draw).tolist()
    ]
    graphs = graphs_of(*drawn)
    sets = subsets(graphs.vocab)
    allowed = torch.tensor([[o in s for o in range(len(graphs.vocab))] for s in sets])
    found = of_subsets(graphs, allowed).view(len(drawn), 6, len(sets))
    for cell, row in zip(drawn, found, strict=True):
        paths, done = [[0]], []
        while paths:
            path = paths.pop()
            if path[-1] == len(cell.labels) - 1:
                done.append({cells.VOCAB_201.index(cell.labels[n]) for n in path[1:-1]} | {-len(path) + 2})
            paths += [[*path, b] for a, b in cell.edges if a == path[-1]]
        for column, ops in enumerate(sets):
            lengths = [-min(p) for p in done if {o for o in p if o > 0} <= set(ops)]
            expected = [min(lengths), max(lengths)] if lengths else [len(cell.labels), -1]
            assert row[:2, column].tolist() == expected
