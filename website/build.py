"""Build the documentation site from the project's pages: python -m website.build --out site

Needs the extra `docs`. Pages, pictures and the files that pages link to are put into one folder, as they lie in the
project; a folder that is linked gets a page that lists it. Two pages are added: a gallery of the boards' pictures, and
the reference of the Python interface, from its docstrings. A link that leads nowhere fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from pipeline.core.errors import BenchError, run_cli
from pipeline.core.paths import ROOT

HERE = Path(__file__).parent
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
LISTING = "index.md"


def pages() -> list[Path]:
    """Every page of the project, relative to its root."""
    found = [Path(name) for name in PAGES]
    for pattern in ("docs/*.md", "results/*.md", "results/*/leaderboard.md"):
        found += sorted(path.relative_to(ROOT) for path in ROOT.glob(pattern))
    return found


def linked(page: Path) -> set[Path]:
    """The files and folders of the project that a page links to, relative to the root."""
    targets = {link for link in LINK.findall((ROOT / page).read_text(encoding="utf-8")) if "://" not in link}
    paths = {(ROOT / page.parent / target).resolve() for target in targets}
    return {path.relative_to(ROOT) for path in paths if path.exists() and path.is_relative_to(ROOT)}


def assemble(folder: Path) -> None:
    """Put everything that the site shows into `folder`."""
    every = pages()
    links = set().union(*map(linked, every))
    for path in sorted(links | set(every)):
        target = folder / path
        if (ROOT / path).is_dir():
            target.mkdir(parents=True, exist_ok=True)
            (target / LISTING).write_text(listing(path))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)
    folders = {path for path in links if (ROOT / path).is_dir()}
    for page in every:
        (folder / page).write_text(with_listings(page, folders))
    (folder / "gallery.md").write_text(gallery())
    shutil.copy(HERE / "api.md", folder / "api.md")


def with_listings(page: Path, folders: set[Path]) -> str:
    """The page's text; links to folders lead to their listings, and what is folded is Markdown."""

    def led(match: re.Match[str]) -> str:
        path = (ROOT / page.parent / match[1]).resolve()
        is_folder = "://" not in match[1] and path.is_relative_to(ROOT) and path.relative_to(ROOT) in folders
        return f"]({match[1].rstrip('/')}/{LISTING})" if is_folder else match[0]

    text = LINK.sub(led, (ROOT / page).read_text(encoding="utf-8"))
    return text.replace("<details", '<details markdown="1"')


def listing(path: Path) -> str:
    """A page that names the files of a folder."""
    names = sorted(file.name for file in (ROOT / path).iterdir() if not file.name.startswith(("_", ".")))
    return "\n".join([f"# {path.as_posix()}/", "", *(f"- `{name}`" for name in names), ""])


def gallery() -> str:
    """A page with the pictures of every board."""
    lines = ["# Gallery", "", "Every picture of the boards; each board says what its data and seeds are.", ""]
    for board in sorted(ROOT.glob("results/*/leaderboard.md")):
        name = board.parent.name
        shown = re.findall(r"!\[(.*?)\]\((plots/\S+?\.png)\)", board.read_text(encoding="utf-8"))
        lines += [f"## {name}", "", f"[Board](results/{name}/leaderboard.md)", ""] if shown else []
        for words, file in shown:
            lines += [f"![{words}](results/{name}/{file})", "", f"*{words}*", ""]
    return "\n".join(lines)


def build(out: Path) -> None:
    """Write the site to `out`. Raises BenchError where MkDocs finds a fault, which it has said on stderr."""
    with tempfile.TemporaryDirectory(prefix="bench-site-") as folder:
        source = Path(folder) / "pages"
        assemble(source)
        settings = yaml.safe_load((HERE / "mkdocs.yml").read_text())
        settings |= {"docs_dir": str(source), "site_dir": str(out.resolve())}
        settings["plugins"][1]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(ROOT)]
        config = Path(folder) / "mkdocs.yml"
        config.write_text(yaml.safe_dump(settings, sort_keys=False))
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config)]
        if subprocess.run(command, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}).returncode:
            raise BenchError("the site was not built: mend what is said above, or install what it needs: '.[docs]'")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m website.build", description=__doc__.partition(":")[0])
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder to write (default: site)")
    build(parser.parse_args().out)


if __name__ == "__main__":
    run_cli(main)
