from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tengri.errors import DataError
from tengri.grids.fetch import fetch

CONTENT = bytes(range(256)) * 3000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT, and closes the connection early as often as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.breaks, self.ranges, self.requests = 0, True, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/folder/grid.h5?x=1"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        span = self.headers.get("Range")
        server.requests.append(span)
        if "absent" in self.path:
            self.send_error(404)
            return
        start = 0
        same = self.headers.get("If-Range", server.etag) == server.etag
        if span and server.ranges and same:
            start = int(span.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.content)}")
        else:
            self.send_response(200)
        rest = server.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", server.etag)
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_whole_file(server, tmp_path):
    path = fetch(server.url, tmp_path / "sub" / "a.h5", sha256=SHA256.upper())
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_default_place_is_local_of_the_data_folder(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TENGRI_DATA_DIR", str(tmp_path))
    assert fetch(server.url) == tmp_path / "local" / "grid.h5"


def test_an_interrupted_transfer_goes_on_where_it_was(server, tmp_path):
    server.breaks = 2
    assert fetch(server.url, tmp_path / "a.h5", sha256=SHA256).read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.requests == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_a_later_call_goes_on_where_the_first_gave_up(server, tmp_path):
    server.breaks = 1
    with pytest.raises(DataError, match=r"a\.h5\.part"):
        fetch(server.url, tmp_path / "a.h5", attempts=1)
    assert not (tmp_path / "a.h5").exists()
    assert fetch(server.url, tmp_path / "a.h5", attempts=1).read_bytes() == CONTENT
    assert server.requests[-1] == f"bytes={len(CONTENT) // 2}-"


def test_a_part_that_is_complete_is_only_renamed(server, tmp_path):
    (tmp_path / "a.h5.part").write_bytes(CONTENT)
    (tmp_path / "a.h5.part.tag").write_text(server.etag)
    assert fetch(server.url, tmp_path / "a.h5", sha256=SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("change", ["etag", "no ranges"])
def test_a_changed_file_or_a_server_without_ranges_starts_anew(server, tmp_path, change):
    server.breaks = 1
    with pytest.raises(DataError):
        fetch(server.url, tmp_path / "a.h5", attempts=1)
    if change == "etag":
        server.content, server.etag = CONTENT[::-1], '"two"'
    else:
        server.ranges = False
    assert fetch(server.url, tmp_path / "a.h5").read_bytes() == server.content


def test_a_wrong_digest_leaves_nothing(server, tmp_path):
    with pytest.raises(DataError, match="SHA-256"):
        fetch(server.url, tmp_path / "a.h5", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_file_at_hand_is_not_downloaded_again(server, tmp_path):
    (tmp_path / "a.h5").write_bytes(CONTENT)
    fetch(server.url, tmp_path / "a.h5", sha256=SHA256)
    assert server.requests == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "grid.h5", "ftp://a/b"])
def test_other_addresses_are_refused(url, tmp_path):
    with pytest.raises(DataError, match="http"):
        fetch(url, tmp_path / "a")


def test_a_refusal_names_the_answer(server, tmp_path):
    with pytest.raises(DataError, match="404"):
        fetch(server.url.replace("grid", "absent"), tmp_path / "a.h5")
