"""Graph neural networks of NAS-Bench-Graph: keys, shapes and graphs by hand."""

import itertools

import pytest

from pipeline.spaces import cells, gnn


def test_a_network_by_hand():
    # The first operation feeds the second and third, the fourth takes the third: the second and fourth are outputs.
    links, ops = gnn.decode(61380)
    assert (links, ops) == ((0, 1, 1, 2), ("gcn", "cheb", "skip", "gat"))
    assert gnn.graph(links, ops) == (
        ("input", "gcn", "cheb", "skip", "gat", "output"),
        ((0, 1), (1, 2), (1, 3), (2, 4), (3, 5), (4, 5)),
    )
    assert gnn.name(links, ops) == "0,1,1,2|gcn|cheb|skip|gat"
    assert gnn.decode(7) == ((0, 0, 0, 0), ("gat", "gat", "gat", "fc"))


@pytest.mark.parametrize("key", [-1, 9, 90, 90_000, 100_000, 19_999])
def test_a_key_of_no_network_is_refused(key):
    with pytest.raises(ValueError, match="names no network"):
        gnn.decode(key)


def test_the_nine_shapes_are_all_trees_of_four_operations_and_differ():
    labels = ("gcn",) * 4
    known = {cells.iso_hash(*gnn.graph(links, labels)) for links in gnn.LINKS}
    every = {
        cells.iso_hash(*gnn.graph(links, labels)) for links in itertools.product((0,), (0, 1), (0, 1, 2), (0, 1, 2, 3))
    }
    assert len(known) == len(gnn.LINKS) == 9 and known == every
