"""Files that are members of a wheel: from a folder that pip takes for its index, and from archives that lie."""

import hashlib
import os
import zipfile

import pytest

from pipeline.config.datasets import PackageFile
from pipeline.fetch import fetch
from tests.helpers.faulty_server import CONTENT, get, raw_file, refused


def make_wheel(folder, members):
    """A wheel of the package benchfile 1.0 with these members; returns its sha256."""
    path = folder / "benchfile-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.writestr("benchfile-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: benchfile\nVersion: 1.0\n")
        archive.writestr("benchfile-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("benchfile-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return folder


def test_a_member_of_a_wheel_is_taken_from_the_package_index(index, tmp_path):
    sha256 = make_wheel(index, [("benchfile/data.bin", CONTENT)])
    get(raw_file(pypi=PackageFile("benchfile", "1.0", sha256, "benchfile/data.bin")), tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["index", "out"]


@pytest.mark.parametrize(
    ("members", "sha256", "problem"),
    [
        ([("benchfile/data.bin", CONTENT)], "0" * 64, "pip: ERROR: THESE PACKAGES DO NOT MATCH|pip: .*[Hh]ash"),
        ([("benchfile/data.bin", CONTENT[:-1] + b"!")], None, "wrong sha256"),
        ([("benchfile/data.bin", bytes(64 * 2**20))], None, "has 67108864 bytes, expected 1024000"),
        ([("../data.bin", CONTENT)], None, "has 0 members named benchfile/data.bin"),
        ([], None, "has 0 members named benchfile/data.bin"),
    ],
    ids=["wheel", "altered", "absurd size", "other path", "missing"],
)
def test_a_wrong_wheel_is_refused_and_leaves_nothing(index, tmp_path, members, sha256, problem):
    true_sha256 = make_wheel(index, members)
    package = PackageFile("benchfile", "1.0", sha256 or true_sha256, "benchfile/data.bin")
    refused(raw_file(pypi=package), tmp_path / "out", problem)
    assert os.listdir(tmp_path) == ["index"]


def test_a_package_that_the_index_lacks_is_named(index, tmp_path):
    package = PackageFile("benchfile", "1.0", "0" * 64, "benchfile/data.bin")
    refused(raw_file(pypi=package), tmp_path / "out", r"package benchfile 1\.0: pip: ERROR.*BENCH_MIRROR")


def test_a_member_larger_than_it_declares_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m", CONTENT)
    lying = path.read_bytes().replace(len(CONTENT).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(lying)
    with pytest.raises(fetch.DownloadError):
        fetch.read_member(path, "m", 1000)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", CONTENT])
def test_a_damaged_archive_is_refused(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(fetch.DownloadError, match=r"x\.zip is damaged"):
        fetch.read_member(tmp_path / "x.zip", "m", 1000)
