"""Each mutation still applies: what it replaces stands once in its file, and the test it names is there."""

from __future__ import annotations

import ast

import pytest

from benchmarks.mutations import MUTATIONS, mutated
from pipeline.core.paths import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[m.name for m in MUTATIONS])
def test_a_mutation_applies_and_its_test_is_there(mutation):
    text = (ROOT / mutation.file).read_text()
    assert ast.dump(ast.parse(mutated(mutation, text))) != ast.dump(ast.parse(text))
    file, _, name = mutation.test.partition("::")
    assert name in {
        node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)
    }


def test_names_are_not_given_twice():
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS)
