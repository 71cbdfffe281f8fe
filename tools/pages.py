"""Every page in a headless browser, wide and narrow: no overflow, no error, nothing fetched.

    python -m tools.pages                       make a page of every kind, build the manual, check
    python -m tools.pages FILE.html FOLDER …    check these
    python -m tools.pages --shots DIR …         keep a picture of each, light and dark

Needs Debian's chromium (``apt-get install chromium``); ``--install`` installs it. A page fails when
it is wider than its window, logs an error, throws one, or asks for anything that is not beside it.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

WIDTHS = (1300, 400)
HEIGHT = 2400
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Stands first in a page and collects what goes wrong while it loads.
WATCH = """<script>window.wrong = [];
const note = event => wrong.push('error: ' + (event.message || event.reason || 'not loaded: ' +
  ((event.target && (event.target.src || event.target.href)) || '?')));
addEventListener('error', note, true);
addEventListener('unhandledrejection', note);
console.error = (...words) => { wrong.push('console: ' + words.join(' ')); };
</script>"""
#: Loads a page into a frame of the wanted width, opens what opens, and says what is wrong.
HARNESS = """<!doctype html><meta charset=utf-8><body style='margin:0'><pre id=found>{}</pre>
<script>
const frame = document.createElement('iframe');
frame.style = 'border:0;width:WIDTHpx;height:2000px';
frame.onload = () => {
  const w = frame.contentWindow, d = frame.contentDocument, wrong = w.wrong;
  for (const details of d.querySelectorAll('details')) details.open = true;
  for (const button of [...d.querySelectorAll('th button')].slice(0, 8)) button.click();
  setTimeout(() => {
    const root = d.scrollingElement, limit = root.clientWidth;
    if (root.scrollWidth > limit) {
      const wide = [...d.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right >
        limit + 1).map(e => e.tagName.toLowerCase() + (e.className.trim ? '.' + e.className : ''));
      wrong.push(`overflow: ${root.scrollWidth} of ${limit} px: ${wide.slice(0, 4).join(', ')}`);
    }
    for (const image of d.images) if (!image.complete || !image.naturalWidth)
      wrong.push('not loaded: ' + image.src.slice(0, 80));
    for (const plot of d.querySelectorAll('.plot')) if (!plot.querySelector('svg'))
      wrong.push('a galaxy that was opened is not drawn');
    for (const entry of w.performance.getEntriesByType('resource'))
      if (!entry.name.startsWith(location.origin)) wrong.push('fetched: ' + entry.name);
    document.getElementById('found').textContent = JSON.stringify(
      {wrong, height: root.scrollHeight, done: true});
  }, 400);
};
frame.src = 'PAGE';
document.body.append(frame);
</script>
"""


@dataclass(frozen=True)
class Finding:
    """What is wrong with a page at one width; nothing where all is well."""

    page: Path
    width: int
    wrong: tuple[str, ...]


def main(words: Sequence[str] | None = None) -> int:
    """Check the pages; return 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="files or folders of HTML")
    parser.add_argument("--shots", type=Path, help="folder for pictures, light and dark")
    parser.add_argument("--install", action="store_true", help="install Debian's chromium")
    args = parser.parse_args(words)
    browser = find_browser(args.install)
    with tempfile.TemporaryDirectory() as made:
        pages = args.pages or make_pages(Path(made))
        files = [file for page in pages for file in html_files(page)]
        if not files:
            raise SystemExit(f"no .html in {', '.join(map(str, pages))}.")
        bad = 0
        for file in files:
            for finding in check(browser, file):
                bad += bool(finding.wrong)
                what = "; ".join(finding.wrong) or "well"
                print(f"{finding.width:>5d} px  {finding.page}: {what}", flush=True)
            if args.shots:
                shots(browser, file, args.shots)
    print(f"{len(files)} pages at {' and '.join(map(str, WIDTHS))} px: {bad} failures")
    return 1 if bad else 0


def find_browser(install: bool = False) -> str:
    """Return the browser's path.

    Raises
    ------
    SystemExit
        There is none: how to install it.
    """
    if install and not any(map(shutil.which, BROWSERS)):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "chromium"], check=True)
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise SystemExit("no chromium here: apt-get install chromium, or python -m tools.pages "
                     "--install as root.")  # fmt: skip


def html_files(page: Path) -> list[Path]:
    """Return a file, or all pages of a folder but those that a program only includes."""
    if page.is_file():
        return [page]
    return sorted(file for file in page.rglob("*.html") if "_static" not in file.parts)


def check(browser: str, page: Path) -> Iterator[Finding]:
    """Yield what is wrong with a page at every width."""
    with served(page) as address:
        for width in WIDTHS:
            text = browse(browser, f"{address}/{width}", "--dump-dom")
            told = re.search(r"<pre id=\"found\">(.*?)</pre>", text, re.S)
            found = json.loads(html.unescape(told[1])) if told else {}
            wrong = found.get("wrong", []) if found.get("done") else ["the page did not load"]
            yield Finding(page, width, tuple(dict.fromkeys(wrong)))


@contextmanager
def served(page: Path) -> Iterator[str]:
    """Serve the page's folder on the loopback, and the harness of each width as ``/WIDTH``."""
    # a page of the manual has its style and figures beside and above it
    root = next((p for p in page.resolve().parents if (p / "_static").is_dir()), page.parent)
    target = quote(str(page.resolve().relative_to(root.resolve())))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer with the harness or a file."""
            asked = self.path.strip("/")
            if asked.isdecimal():
                body = HARNESS.replace("WIDTH", asked).replace("PAGE", f"/{target}").encode()
            elif asked == target:
                body = page.read_text().replace("<head>", f"<head>{WATCH}", 1).encode()
            else:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def browse(browser: str, address: str, *options: str) -> str:
    """Return what a headless browser prints."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
            f"--user-data-dir={profile}", f"--window-size={WIDTHS[0] + 100},{HEIGHT}",
            "--virtual-time-budget=8000", *options, address,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    return done.stdout


def shots(browser: str, page: Path, folder: Path) -> None:
    """Write a picture of the page at each width, and of the wide one in the dark."""
    folder.mkdir(parents=True, exist_ok=True)
    dark = "--blink-settings=preferredColorScheme=0"
    for name, width, options in (
        ("wide", WIDTHS[0], ()),
        ("narrow", max(WIDTHS[1], 500), ()),  # no window of the browser is narrower
        ("dark", WIDTHS[0], (dark,)),
    ):
        picture = folder / f"{page.stem}-{name}.png"
        browse(browser, page.resolve().as_uri(), f"--screenshot={picture}",
               f"--window-size={width},{HEIGHT}", *options)  # fmt: skip


# --- one page of every kind -------------------------------------------------------------------


def make_pages(folder: Path) -> list[Path]:
    """Make a page of every kind from a training of half a minute, and build the manual."""
    commands: Iterable[str] = (
        "train tiny --out run",
        "compare run --n 512 -o compare",
        "compare run --n 512 --population prior -o populations",
        "compare run sdss --n 512 -o pair",
        "compare run --stars ssp_bc03_miles_kroupa_noneb.h5 --n 256 --fits 4 -o stars",
        "compare spectrum_compact --n 64 -o spectra",
        "data inspect ssp_bc03_miles_kroupa_noneb.h5 -o grid.html",
    )
    for command in commands:
        print(f"tengri {command}", flush=True)
        subprocess.run([sys.executable, "-m", "tengri", *command.split(), "--quiet"], cwd=folder,
                       check=True)  # fmt: skip
    fit_pages(folder)
    docs = Path(__file__).resolve().parents[1] / "docs"
    subprocess.run([sys.executable, "-m", "sphinx", "-q", str(docs), str(folder / "manual")],
                   check=True)  # fmt: skip
    return [folder]


def fit_pages(folder: Path) -> None:
    """Fit a few galaxies, with a page of the catalogue and one of a galaxy."""
    from tools.mocks import write_mocks

    write_mocks(folder / "mocks.h5", 12)
    fit = ("fit mocks.h5 --model sdss_tsnorm --flux f_{band} --error e_{band} --redshift z "
           "--method map")  # fmt: skip
    for more in ("-o fits.h5 --page fits.html --page-redshift z", "-o looked.h5 --look 3"):
        print(f"tengri {fit} {more}", flush=True)
        subprocess.run([sys.executable, "-m", "tengri", *fit.split(), *more.split(), "--quiet"],
                       cwd=folder, check=True)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
