"""Servers that drip, cut, change what they send or send what nobody pinned; files laid where a download goes."""

from __future__ import annotations

import hashlib
import os

import pytest

from pipeline.core.errors import BenchError
from pipeline.fetch import download, fetch
from tests.helpers.faulty_server import CONTENT, CUT, SHA256, get, raw_file, refused

UNKNOWN = {"bytes": None, "sha256": None}
NOT_VERIFIED = rf'not verified: .* bytes: {len(CONTENT)}, sha256: "{SHA256}"; pin them there'


@pytest.mark.hostile("downloads")
def test_a_file_without_a_pinned_hash_is_measured_and_refused(server, tmp_path):
    server.faults = [None, "truncate"]
    refused(raw_file(server.url, **UNKNOWN), tmp_path, rf"/\.data\.bin\.part: {NOT_VERIFIED}")
    server.requests.clear()
    get(raw_file(server.url), tmp_path)  # once it is pinned, what came is used
    assert server.requests == []


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("place", ["out", "mirror/set"])
def test_a_local_copy_without_a_pinned_hash_is_refused_too(server, tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "data.bin").write_bytes(CONTENT)
    mirror = tmp_path / "mirror" if place != "out" else None
    with pytest.raises(BenchError, match=NOT_VERIFIED):
        fetch.fetch_file(raw_file(server.url, **UNKNOWN), tmp_path / "out", mirror)
    assert server.requests == []


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("fault", [404, "no length"])
def test_a_file_of_unknown_size_is_not_downloaded_blindly(server, tmp_path, fault, monkeypatch):
    server.faults = [fault]
    refused(raw_file(server.url, **UNKNOWN), tmp_path, "cannot be fetched: .*(HTTP 404|0 bytes by the server)")
    monkeypatch.setattr(fetch, "MAX_UNKNOWN_BYTES", 1000)
    refused(raw_file(server.url, **UNKNOWN), tmp_path, "not between 1 and 1000")
    assert os.listdir(tmp_path) == []


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("fault", ["drip", "drip of headers", "endless 100"])
@pytest.mark.parametrize("pinned", [True, False])
def test_a_server_that_drips_is_left(server, tmp_path, monkeypatch, fault, pinned):
    monkeypatch.setattr(download, "LEAST_S", 0.5)
    monkeypatch.setattr(download, "LEAST_RATE", 2**40)
    server.faults = [fault] * 9
    refused(raw_file(server.url, **({} if pinned else UNKNOWN)), tmp_path, "took longer than|0 bytes by the server's")


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("pinned", [True, False])
def test_bodies_of_redirects_are_not_read(server, tmp_path, pinned):
    server.faults = ["endless redirect", "redirect"] * 2
    if pinned:
        get(raw_file(server.url), tmp_path)
    else:
        refused(raw_file(server.url, **UNKNOWN), tmp_path, NOT_VERIFIED)
    assert server.sent < 2**26


@pytest.mark.hostile("downloads")
def test_redirects_in_a_circle_are_left(server, tmp_path):
    server.faults = ["redirect"] * 30
    refused(raw_file(server.url), tmp_path, r"not to be trusted \(TooManyRedirects\)")
    assert len(server.requests) == download.MOST_REDIRECTS


def test_a_server_that_cuts_every_connection_gives_the_file_in_the_end(server, tmp_path):
    server.faults = ["cut"] * 12
    get(raw_file(server.url), tmp_path)
    assert server.requests == [None, *(f"bytes={CUT * i}-" for i in range(1, 13))]


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize(
    "url", ["nowhere", "gopher://x/y", "http://", "http://[::1", f"http://{'x' * 99}.org/y", "http://a b/"]
)
def test_an_address_that_is_none_is_not_tried_again(tmp_path, monkeypatch, url):
    monkeypatch.setattr(download.time, "sleep", lambda _: pytest.fail("tried again"))
    refused(raw_file(url), tmp_path, "no such address, or not to be trusted")


@pytest.mark.hostile("downloads")
def test_a_server_without_a_certificate_is_not_tried_again(server, tmp_path, monkeypatch):
    def untrusted(*_, **__):
        server.requests.append(None)
        raise download.exceptions.SSLError

    monkeypatch.setattr(download.requests.Session, "get", untrusted)
    refused(raw_file(server.url), tmp_path, r"not to be trusted \(SSLError\)")
    assert server.requests == [None]


@pytest.mark.hostile("downloads")
def test_no_password_is_shown(server, tmp_path):
    server.faults = [404]
    with pytest.raises(BenchError, match=r"http://127\.0\.0\.1:\d+/data\.bin: HTTP 404") as caught:
        fetch.fetch_file(raw_file(server.url.replace("//", "//me:secret@") + "?key=secret"), tmp_path, None, 0)
    assert "secret" not in str(caught.value)


@pytest.mark.hostile("downloads")
def test_what_an_earlier_run_left_is_not_part_of_a_file_without_a_pinned_hash(server, tmp_path):
    (tmp_path / ".data.bin.part").write_bytes(b"stale" * 1000)
    refused(raw_file(server.url, **UNKNOWN), tmp_path, NOT_VERIFIED)


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("tag", ["", '"one"', 'W/"one"'])
def test_two_versions_of_a_file_without_a_pinned_hash_are_never_mixed(server, tmp_path, tag):
    server.tag, server.faults = tag, [None, "change"]
    other = hashlib.sha256(CONTENT[::-1]).hexdigest()
    refused(raw_file(server.url, **UNKNOWN), tmp_path, rf'bytes: {len(CONTENT)}, sha256: "{other}"')


def test_a_file_of_one_tag_is_gone_on_from(server, tmp_path):
    server.tag, server.faults = '"one"', [None, "cut"]
    refused(raw_file(server.url, **UNKNOWN), tmp_path, NOT_VERIFIED)
    assert server.requests == [None, None, f"bytes={CUT}-"]


@pytest.mark.hostile("downloads")
def test_a_pipe_or_a_link_in_the_place_of_the_part_is_removed(server, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    for number, make in enumerate((os.mkfifo, lambda part: part.symlink_to(outside))):
        (folder := tmp_path / str(number)).mkdir()
        make(folder / ".data.bin.part")
        get(raw_file(server.url), folder)
    assert outside.read_text() == "precious"


@pytest.mark.hostile("downloads")
@pytest.mark.parametrize("changes", [{}, {"bytes": None, "sha256": None}])
def test_a_folder_in_the_place_of_the_part_is_one_clear_line(server, tmp_path, changes):
    (tmp_path / ".data.bin.part").mkdir()
    refused(
        raw_file(server.url, **changes), tmp_path, r"\.data\.bin\.part: cannot write: Is a directory; check the path"
    )
