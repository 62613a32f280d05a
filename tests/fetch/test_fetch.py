"""Downloads from a server on this machine that resumes, truncates, alters, fails and recovers."""

import os

import pytest

from pipeline.config import datasets
from pipeline.core.errors import BenchError
from pipeline.fetch import fetch
from tests.helpers.faulty_server import CONTENT, get, raw_file, refused
from tests.helpers.in_process import run_module
from tests.helpers.small_disk import small_disk

MIDDLE = f"bytes={len(CONTENT) // 2}-"  # nothing of a broken body is lost


def test_a_plain_download(server, tmp_path):
    get(raw_file(server.url), tmp_path)
    assert server.requests == [None]


def test_a_file_in_place_is_not_fetched_again_and_an_altered_one_is(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    get(raw_file(server.url), tmp_path)
    assert server.requests == []
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1] + b"!")
    get(raw_file(server.url), tmp_path)
    assert server.requests == [None]


@pytest.mark.parametrize("faults", [[500], [503, 429, 500], ["truncate"], ["truncate", 500, "truncate"], ["no length"]])
def test_passing_faults_are_survived(server, tmp_path, faults):
    server.faults = faults
    get(raw_file(server.url), tmp_path)


def test_a_truncated_body_is_resumed_not_started_again(server, tmp_path):
    server.faults = ["truncate"]
    get(raw_file(server.url), tmp_path)
    assert server.requests == [None, MIDDLE]


def test_the_next_run_goes_on_where_the_last_one_stopped(server, tmp_path):
    server.faults = ["truncate", 500, 500, 500]
    refused(raw_file(server.url), tmp_path, "HTTP 500, 4 attempts")
    assert os.listdir(tmp_path) == [".data.bin.part"]
    server.requests.clear()
    get(raw_file(server.url), tmp_path)
    assert server.requests == [MIDDLE]


def test_a_server_without_ranges_starts_again(server, tmp_path):
    server.ranges = False
    server.faults = ["truncate"]
    get(raw_file(server.url), tmp_path)


@pytest.mark.parametrize("part", [CONTENT + b"more", CONTENT, b""])
def test_a_part_of_any_length_is_used_or_thrown_away(server, tmp_path, part):
    (tmp_path / ".data.bin.part").write_bytes(part)
    get(raw_file(server.url), tmp_path)


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("fault", [416, "wrong range"])
def test_a_refused_range_starts_again(server, tmp_path, fault):
    (tmp_path / ".data.bin.part").write_bytes(CONTENT[:1000])
    server.faults = [fault]
    get(raw_file(server.url), tmp_path)
    assert server.requests == ["bytes=1000-", None]


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("altered", [CONTENT[:-1] + b"!", b"<html>" + CONTENT[6:]])
def test_an_altered_file_is_refused_and_removed(server, tmp_path, altered):
    server.content = altered
    refused(
        raw_file(server.url), tmp_path, r"data\.bin: cannot be fetched: .*wrong sha256.*BENCH_MIRROR.*set/data\.bin"
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.hostile("downloads")
def test_an_altered_part_is_removed_so_that_the_next_run_succeeds(server, tmp_path):
    (tmp_path / ".data.bin.part").write_bytes(b"x" * 1000)
    refused(raw_file(server.url), tmp_path, "wrong sha256")
    get(raw_file(server.url), tmp_path)


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("faults", [[], ["no length"]])
def test_a_larger_file_is_cut_off(server, tmp_path, faults):
    server.content, server.faults = CONTENT * 20, faults
    refused(raw_file(server.url), tmp_path, f"larger than the {len(CONTENT)} bytes expected")
    assert os.listdir(tmp_path) == []


@pytest.mark.hostile("downloads")
def test_a_shorter_file_is_refused(server, tmp_path):
    server.content = CONTENT[:1000]
    refused(raw_file(server.url), tmp_path, "the connection ended after 1000 of 1024000 bytes, 4 attempts")


def test_the_second_address_is_used_when_the_first_has_gone(server, tmp_path):
    server.faults = [404]
    get(raw_file(server.url, server.url + "?copy"), tmp_path)
    assert len(server.requests) == 2


def test_no_network_and_no_mirror_names_file_and_remedy(server, tmp_path):
    server.shutdown()
    server.server_close()
    refused(
        raw_file(server.url),
        tmp_path,
        r"data\.bin: cannot be fetched: http://127.0.0.1:\d+/data.bin: no connection .* set `mirror` or BENCH_MIRROR "
        r"to a folder that holds set/data\.bin, or place a file of 1024000 bytes and sha256 \w{64} at",
    )
    assert os.listdir(tmp_path) == []


def test_the_mirror_comes_first(server, tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "set").mkdir(parents=True)
    (mirror / "set" / "data.bin").write_bytes(CONTENT)
    get(raw_file(server.url), tmp_path / "out", mirror)
    assert server.requests == []


def test_a_file_that_the_mirror_lacks_is_downloaded(server, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "out").mkdir()
    get(raw_file(server.url), tmp_path / "out", tmp_path / "mirror")


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize(
    ("content", "problem"),
    [(CONTENT[:-1] + b"!", "wrong sha256"), (CONTENT[:9], "9 bytes instead of"), (CONTENT + b"!", "larger than")],
)
def test_a_wrong_file_in_the_mirror_is_named_not_skipped(server, tmp_path, content, problem):
    mirror = tmp_path / "mirror"
    (mirror / "set").mkdir(parents=True)
    (mirror / "set" / "data.bin").write_bytes(content)
    out = tmp_path / "out"
    refused(raw_file(server.url), out, f"mirror/set/data.bin: .*{problem}.*replace this copy", mirror)
    assert server.requests == []
    assert not out.exists() or os.listdir(out) == []


@pytest.mark.hostile("names")
@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000])
def test_a_mirror_whose_name_no_folder_can_have_is_one_line(tmp_path, name):
    with pytest.raises(BenchError, match="cannot read: File name too long; check the path"):
        fetch.fetch(datasets.get("synthetic201"), tmp_path / "out", tmp_path / name)


def test_a_missing_mirror_folder_is_an_error(tmp_path):
    with pytest.raises(BenchError, match="nowhere: the mirror is not a folder"):
        fetch.fetch(datasets.get("synthetic201"), tmp_path / "out", tmp_path / "nowhere")


def test_a_full_disk_is_a_one_line_error_and_leaves_nothing(server, tmp_path):
    with small_disk(tmp_path) as disk:
        refused(raw_file(server.url), disk, "no space left on device")
        assert os.listdir(disk) == []
        mirror = tmp_path / "mirror"
        (mirror / "set").mkdir(parents=True)
        (mirror / "set" / "data.bin").write_bytes(CONTENT)
        refused(raw_file(server.url), disk, "no space left on device", mirror)
        assert os.listdir(disk) == []


def test_the_command_line_reports_one_line(tmp_path):
    result = run_module("pipeline.fetch", "nonsense", "--out", tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert "no data set 'nonsense'; known: analognas201, nasbench201" in result.stderr


def test_the_mirror_holds_the_registered_files(mirror, tmp_path):
    held = [
        dataset
        for dataset in datasets.load().values()
        if dataset.files and all(f.sha256 and f.mirror and (mirror / f.mirror).is_file() for f in dataset.files)
    ]
    assert held
    for dataset in held:
        fetch.fetch(dataset, tmp_path / dataset.name, mirror)
        assert sorted(os.listdir(tmp_path / dataset.name)) == sorted(file.path for file in dataset.files)
