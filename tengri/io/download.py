"""Download a file: resumable, verified, atomic; with the standard library only."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tengri.errors import DataError
from tengri.io import atomic
from tengri.io.seal import file_sha256

_CHUNK = 1 << 18
_INTERRUPTIONS = (http.client.HTTPException, ConnectionError, TimeoutError)


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    attempts: int = 4,
    timeout_s: float = 60.0,
) -> Path:
    """Download ``url`` to ``target`` and return it.

    What has arrived is kept in ``<target>.part``: an interrupted transfer goes on from there, in
    the same call or a later one, unless the file changed on the server. The name ``target``
    appears only when every byte is there and the digest is right.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    target : path
        Its folder is made.
    sha256 : str, optional
        Expected digest; a file of that name and digest is not downloaded again.
    attempts : int
        How often to try before giving up; the part stays for another call.

    Raises
    ------
    DataError
        If the server refuses, the transfer keeps breaking off, or the digest differs.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DataError(f"{url}: expected an http or https address.")
    if sha256 is not None and target.is_file() and file_sha256(target) == sha256.lower():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _transfer(url, part, attempts, timeout_s)
    if sha256 is not None and (found := file_sha256(part)) != sha256.lower():
        _discard(part)
        raise DataError(f"{url}: SHA-256 is {found}, expected {sha256.lower()}. Nothing was kept.")
    atomic.put(part, target)
    _discard(part)
    return target


def name_in(url: str) -> str:
    """Return the file name in an address.

    Raises
    ------
    DataError
        There is none.
    """
    name = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name
    if name in ("", "..") or not name.isprintable():
        raise DataError(f"{url}: no file name in the address; pass one as output.")
    return name


def _transfer(url: str, part: Path, attempts: int, timeout_s: float) -> None:
    """Fill ``part`` until it is complete."""
    for attempt in range(1, attempts + 1):
        try:
            if _receive(url, part, timeout_s):
                return
            reason = "the connection closed early"
        except urllib.error.HTTPError as error:
            raise DataError(f"{url}: the server answered {error.code} {error.reason}.") from error
        except (*_INTERRUPTIONS, urllib.error.URLError) as error:
            reason = str(error) or type(error).__name__
        if attempt == attempts:
            raise DataError(
                f"{url}: interrupted {attempts} times ({reason}). What has arrived is kept in "
                f"{part}; the same command goes on from there."
            )


def _receive(url: str, part: Path, timeout_s: float) -> bool:
    """Append what the server sends to ``part``; return whether the file is complete."""
    request = urllib.request.Request(url, headers=_range_headers(part))
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not part.exists():
            raise
        if _total(error.headers.get("Content-Range")) == part.stat().st_size:
            return True
        _discard(part)
        return False
    with response:
        start = _start(response)
        if start is None or start != (part.stat().st_size if part.exists() else 0):
            start = None
        if response.status == 206 and start is None:
            _discard(part)
            return False
        _remember(part, response)
        with open(part, "ab" if response.status == 206 else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
    length = response.headers.get("Content-Length")
    sent = part.stat().st_size - (start if response.status == 206 and start else 0)
    return length is None or sent == int(length)


def _start(response: http.client.HTTPResponse) -> int | None:
    """Return the offset of a partial answer, from ``Content-Range: bytes first-last/total``."""
    span = response.headers.get("Content-Range", "")
    first = span.removeprefix("bytes ").split("-")[0]
    return int(first) if first.isdigit() else None


def _total(content_range: str | None) -> int | None:
    last = (content_range or "").rpartition("/")[2]
    return int(last) if last.isdigit() else None


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _range_headers(part: Path) -> dict[str, str]:
    """Ask for the missing rest, on condition that the file is still the one begun."""
    tag = _tag_file(part)
    if not part.exists() or not tag.exists() or part.stat().st_size == 0:
        return {}
    return {"Range": f"bytes={part.stat().st_size}-", "If-Range": tag.read_text()}


def _remember(part: Path, response: http.client.HTTPResponse) -> None:
    """Keep what identifies this version of the file; a weak ETag does not."""
    etag = response.headers.get("ETag", "")
    tag = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    if tag:
        _tag_file(part).write_text(tag)
    else:
        _tag_file(part).unlink(missing_ok=True)


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)
