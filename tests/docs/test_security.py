"""The page on security counts the hostile inputs under test as they are."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from pipeline.core.paths import ROOT

ROW = re.compile(r"^\| ([\w ]+) \| (\d+) \| (\[.*) \|$", re.MULTILINE)


def test_as_many_hostile_inputs_as_the_page_says(request):
    """Of each kind, in the files it names; it looks at what was collected, so it needs a run of all of them."""
    rows = ROW.findall((ROOT / "SECURITY.md").read_text())
    named = {kind: set(re.findall(r"\]\((tests/[^)]*)\)", files)) for kind, _, files in rows}
    collected = {str(item.path.relative_to(ROOT)) for item in request.session.items}
    if missing := set().union(*named.values()) - collected:
        pytest.skip(f"only whole runs can count: not collected: {', '.join(sorted(missing))}")
    found: Counter[str] = Counter()
    for item in request.session.items:
        if mark := item.get_closest_marker("hostile"):
            (kind,) = mark.args
            found[kind] += 1
            assert str(item.path.relative_to(ROOT)) in named[kind], item.nodeid
    assert sum(int(count) for _, count, _ in rows) >= 80
    assert {kind: found[kind] >= int(count) for kind, count, _ in rows} == dict.fromkeys(named, True), found
