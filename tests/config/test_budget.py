"""Budgets: one word each way, how many labels a word stands for, and words that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.budget import Budget, Kind, Sources
from pipeline.core.errors import BenchError

HASHES = st.integers(0, 2**32 - 1).map(lambda number: f"{number:08x}") | st.just("")
DRAWN = st.builds(
    Budget, st.just(Kind.COUNT), st.integers(1, 10**6).map(str), st.integers(0, 5000), HASHES
) | st.builds(
    Budget, st.just(Kind.FRACTION), st.integers(1, 9999).map(lambda n: f"0.{n:04}"), st.integers(0, 5000), HASHES
)
WHOLE = st.builds(Budget, st.just(Kind.WHOLE), st.just(""), st.integers(0, 5000), HASHES)
OTHERS = st.builds(Budget, st.just(Kind.MARKED), st.just(""), sources=HASHES) | st.builds(
    Budget, st.just(Kind.FAMILY), st.from_regex(r"[a-z0-9_]+", fullmatch=True), sources=HASHES
)


@given(DRAWN | WHOLE | OTHERS)
def test_a_word_says_all_of_its_budget(budget):
    assert Budget.parse(str(budget)) == budget
    assert str(Budget.parse(budget.own_labels)) == budget.own_labels


@given(st.integers(1, 10**6), st.integers(1, 9999))
def test_a_fraction_of_the_networks_is_rounded_half_up(n_graphs, ten_thousandths):
    budget = Budget.parse(f"0.{ten_thousandths:04}")
    assert budget.n_labels(n_graphs) == (2 * ten_thousandths * n_graphs + 10_000) // 20_000


def test_numbers_of_labels_by_hand():
    words = ["0.005", "0.01", "0.03", "0.05", "0.1", "n900", "n10-val5-from-0badf00d", "1.0"]
    assert [Budget.parse(word).n_labels(15_625) for word in words] == [78, 156, 469, 781, 1563, 900, 10, 15_625]
    assert Budget.parse("stage").n_labels(100) is None and Budget.parse("all").n_labels(100) is None
    assert Budget.parse("without-vgg").n_labels(100) is None


def test_what_a_word_means():
    assert Budget.parse("without-vgg16").family == "vgg16" and Budget.parse("n5").family is None
    assert Budget.parse("n5-val3").n_val == 3
    assert [Budget.parse(word).is_drawn for word in ("0.1", "n5", "all", "stage")] == [True, True, True, False]
    sources = Sources(("a", "b"), 900)
    assert str(Budget.parse("n10").with_sources(sources)) == f"n10-from-{sources.hash}"
    assert str(Budget.parse(f"n10-from-{sources.hash}").with_sources(None)) == "n10"


@pytest.mark.parametrize(
    "word",
    [
        "",
        "1",
        "n",
        "0.0",
        "1.5",
        "-0.1",
        "nan",
        "0.1\n",
        "n5-val0",
        "stage-val5",
        "without-",
        "n5-from-xyz",
        "n5 ",
        "all5",
    ],
)
def test_other_words_are_refused(word):
    with pytest.raises(BenchError, match="label budget|is not above 0|validation"):
        Budget.parse(word)


def test_a_word_that_puts_helps_references_first():
    budget = Budget.parse("n10-help").with_sources(Sources(("a", "b"), 900))
    assert budget.references and not budget.is_drawn and budget.n_labels(15_625) == 10
    assert Budget.parse(str(budget)) == budget and Budget.parse(budget.own_labels).references
    for word in ("all-help", "0.1-help", "stage-help", "without-vgg-help", "n10-help-val5"):
        with pytest.raises(BenchError, match="-help goes with a number of labels alone"):
            Budget.parse(word)


def test_a_word_that_takes_faulty_labels():
    sources = Sources(("a", "b"), 900)
    budget = Budget.parse("n10-val5-faulty")
    assert budget.faulty and budget.n_val == 5 and not Budget.parse("n10").faulty
    assert str(budget.with_sources(sources)) == f"n10-val5-from-{sources.hash}-faulty"
    assert Budget.parse(str(budget)) == budget
