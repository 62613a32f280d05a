"""Archives: what is read, and everything hostile that is refused, without writing anything."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from pipeline.core.errors import BenchError
from pipeline.fetch.archive import Limits, members
from tests.helpers.tar_files import write_tar_gz


def everything(path: Path, limits: Limits | None = None) -> dict[str, bytes | None]:
    return dict(members(path, lambda name: True, limits))


def packed(
    tmp_path: Path, *entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT
) -> Path:
    """A tar.gz of the given headers, each with its content or none."""
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz", format=kind) as tar:
        for entry in entries:
            info, content = entry if isinstance(entry, tuple) else (entry, b"")
            tar.addfile(info, io.BytesIO(content))
    return path


def info(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "", **pax: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.size, header.linkname, header.pax_headers = kind, size, link, pax
    return header


def raw_tar(tmp_path: Path, *blocks: bytes) -> Path:
    """A tar.gz of raw blocks."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(b"".join(block.ljust(-(-len(block) // 512) * 512, b"\0") for block in blocks)))
    return path


def test_members_are_read_in_order_and_only_the_wanted_ones(tmp_path):
    write_tar_gz(tmp_path / "a.tar.gz", {"./d/b.txt": b"bb", "d/a.txt": b"a", "c": b""})
    assert list(members(tmp_path / "a.tar.gz", lambda name: name != "d/a.txt")) == [
        ("d/b.txt", b"bb"),
        ("d/a.txt", None),
        ("c", b""),
    ]


@pytest.mark.hostile("archives")
@pytest.mark.parametrize("twice", [("a", "a"), ("a", "./a"), ("d/a", "d//a")])
def test_a_member_that_comes_twice(tmp_path, twice):
    path = packed(tmp_path, *((info(name, size=1), content) for name, content in zip(twice, (b"1", b"2"), strict=True)))
    with pytest.raises(BenchError, match="two members are named"):
        everything(path)


def test_long_names_and_folders(tmp_path):
    name = "/".join(["folder" * 10] * 8)
    path = packed(tmp_path, info("folder", tarfile.DIRTYPE), (info(name, size=2), b"ab"))
    assert everything(path) == {name: b"ab"}


@pytest.mark.hostile("archives")
@pytest.mark.parametrize(
    ("header", "message"),
    [
        (info("../evil"), "would leave the folder"),
        (info("a/../../evil"), "would leave the folder"),
        (info("/etc/evil"), "would leave the folder"),
        (info("C:/evil"), "would leave the folder"),
        (info("a\\..\\evil"), "would leave the folder"),
        (info("x" * 2000), "would leave the folder"),
        (info("link", tarfile.SYMTYPE, link="/etc/passwd"), "is a link"),
        (info("link", tarfile.LNKTYPE, link="a"), "is a link"),
        (info("pipe", tarfile.FIFOTYPE), "neither a file nor a folder"),
        (info("device", tarfile.CHRTYPE), "neither a file nor a folder"),
    ],
)
def test_dangerous_members(tmp_path, header, message):
    with pytest.raises(BenchError, match=message) as refused:
        everything(packed(tmp_path, header))
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "a.tar.gz"))
    assert os.listdir(tmp_path) == ["a.tar.gz"]


@pytest.mark.hostile("archives")
def test_truncated(tmp_path):
    write_tar_gz(tmp_path / "a.tar.gz", {"a": os.urandom(50_000), "b": b"b"})
    whole = (tmp_path / "a.tar.gz").read_bytes()
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 4):
        (tmp_path / "a.tar.gz").write_bytes(whole[:length])
        with pytest.raises(BenchError, match="truncated or not a tar.gz|damaged"):
            everything(tmp_path / "a.tar.gz")


@pytest.mark.hostile("archives")
def test_not_an_archive(tmp_path):
    for content in (b"plain text", gzip.compress(b"plain text" * 200), b"PK\3\4" + bytes(100)):
        (tmp_path / "a.tar.gz").write_bytes(content)
        with pytest.raises(BenchError, match="truncated or not a tar.gz"):
            everything(tmp_path / "a.tar.gz")
    with pytest.raises(BenchError, match="no such file"):
        everything(tmp_path / "none.tar.gz")


@pytest.mark.hostile("archives")
def test_damaged_content_and_damaged_headers(tmp_path):
    write_tar_gz(tmp_path / "a.tar.gz", {"a": b"x" * 3000, "b": b"y" * 3000})
    tar = bytearray(gzip.decompress((tmp_path / "a.tar.gz").read_bytes()))
    good = gzip.compress(bytes(tar))
    (tmp_path / "a.tar.gz").write_bytes(good[:-8] + bytes(8))  # gzip's checksum
    with pytest.raises(BenchError, match="truncated or not a tar.gz"):
        everything(tmp_path / "a.tar.gz")
    tar[512 + 3072] ^= 1  # the name in the header of b, so that its checksum is wrong
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(bytes(tar)))
    with pytest.raises(BenchError, match="damaged"):
        everything(tmp_path / "a.tar.gz")


@pytest.mark.hostile("archives")
def test_size_limits(tmp_path):
    write_tar_gz(tmp_path / "a.tar.gz", {f"{i}": bytes(5000) for i in range(10)})
    with pytest.raises(BenchError, match="'0' has 5,000 bytes, over the limit of 100"):
        everything(tmp_path / "a.tar.gz", Limits(member_bytes=100))
    with pytest.raises(BenchError, match="over the limit of 20,000 bytes unpacked"):
        everything(tmp_path / "a.tar.gz", Limits(total_bytes=20_000))
    with pytest.raises(BenchError, match="more than 3 members"):
        everything(tmp_path / "a.tar.gz", Limits(members=3))


@pytest.mark.hostile("archives")
def test_members_that_lie_about_their_size(tmp_path):
    for size in (2**40, -5):
        path = raw_tar(tmp_path, info("a", size=size).tobuf(tarfile.GNU_FORMAT), b"content")
        with pytest.raises(BenchError, match="over the limit|truncated"):
            everything(path)
    path = raw_tar(tmp_path, info("a", size=2**20).tobuf(), b"content")
    with pytest.raises(BenchError, match="truncated"):
        everything(path)


@pytest.mark.hostile("archives")
def test_huge_and_endless_headers(tmp_path):
    path = raw_tar(tmp_path, info("h", tarfile.XHDTYPE, size=2**33).tobuf(tarfile.GNU_FORMAT), b"")
    with pytest.raises(BenchError, match="a header of 8,589,934,592 bytes"):
        everything(path)
    header = info("h", tarfile.XHDTYPE, size=14).tobuf()
    with pytest.raises(BenchError, match="truncated or not a tar.gz"):
        everything(raw_tar(tmp_path, *[header, b"14 comment=ab\n"] * 5000))


@pytest.mark.hostile("archives")
def test_sparse_members(tmp_path):
    header = info("sparse", tarfile.GNUTYPE_SPARSE, size=0).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(BenchError, match="neither a file nor a folder|truncated"):
        everything(raw_tar(tmp_path, header))


@pytest.mark.hostile("archives")
def test_bombs_take_little_memory(tmp_path):
    """4 GiB of zeros in one member, then in many members: refused, with less than 200 MB of memory in use."""
    chunk = gzip.compress(bytes(2**24))
    one, many = tmp_path / "one.tar.gz", tmp_path / "many.tar.gz"
    one.write_bytes(gzip.compress(info("bomb", size=2**32).tobuf(tarfile.GNU_FORMAT)) + chunk * 256)
    many.write_bytes(b"".join(gzip.compress(info(f"bomb{i}", size=2**24).tobuf()) + chunk for i in range(256)))
    program = (
        "import re, sys; from pipeline.fetch.archive import Limits, members\n"
        "from pipeline.core.errors import run_cli\n"
        "def main():\n"
        "    for _ in members(sys.argv[1], lambda name: True, Limits(total_bytes=2**28)): pass\n"
        "try: run_cli(main)\n"
        "finally: print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) // 1024)\n"
    )
    for path in (one, many):
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "over the limit" in done.stderr
        assert int(done.stdout) < 200
