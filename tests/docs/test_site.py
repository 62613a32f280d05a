"""The documentation site is built from the project's pages, and a link that leads nowhere stops it."""

from __future__ import annotations

import importlib.util

import pytest

from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from website import build

needs_mkdocs = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("material", "mkdocstrings")),
    reason="MkDocs is not installed; pip install -e '.[test]'",
)


@needs_mkdocs
def test_the_site_has_every_page_picture_and_public_name(tmp_path):
    build.build(tmp_path / "site")
    for page in build.pages():
        made = "index.html" if page.name == "README.md" else str(page.with_suffix(".html"))
        assert (tmp_path / "site" / made).is_file(), page
    pictures = {path.relative_to(ROOT) for path in ROOT.glob("results/*/plots/*.png")}
    gallery = (tmp_path / "site/gallery.html").read_text()
    shown = [path for path in pictures if path.as_posix() in gallery]
    assert shown and all((tmp_path / "site" / path).is_file() for path in shown)
    reference = (tmp_path / "site/api.html").read_text()
    assert 'id="nnfb.load_dataset"' in reference and "Raises BenchError" in reference


@needs_mkdocs
def test_a_broken_link_stops_it(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(build, "gallery", lambda: "# Gallery\n\n[a page](nowhere.md)\n")
    with pytest.raises(BenchError, match="not built"):
        build.build(tmp_path / "site")
    assert "nowhere.md" in capfd.readouterr().err
