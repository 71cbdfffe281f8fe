"""Curves of the SVO Filter Profile Service, from a server on loopback and from files."""

from __future__ import annotations

import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tengri import Instrument
from tengri.errors import ConfigError, DataError
from tengri.observation import svo

WAVE, TRANS = (400.0, 500.0, 600.0), (0.0, 0.8, 0.0)  # nm


def answer(detector: str = "1", unit: str = "nm") -> str:
    rows = "".join(f"<TR><TD>{w}</TD><TD>{t}</TD></TR>" for w, t in zip(WAVE, TRANS))
    return f"""<?xml version="1.0"?>
<VOTABLE version="1.1" xmlns="http://www.ivoa.net/xml/VOTable/v1.1">
 <INFO name="QUERY_STATUS" value="OK"/><RESOURCE type="results"><TABLE utype="photDM:x">
  <PARAM name="filterID" value="TOP/Hat.a" datatype="char" arraysize="*"/>
  <PARAM name="DetectorType" value="{detector}" datatype="char" arraysize="*"/>
  <FIELD name="Wavelength" unit="{unit}" datatype="float"/>
  <FIELD name="Transmission" unit="" datatype="float"/>
  <DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


NONE = """<?xml version="1.0"?><VOTABLE version="1.1"><INFO name="QUERY_STATUS" value="ERROR">
<DESCRIPTION>Filter not found: TOP/Hat.q</DESCRIPTION></INFO></VOTABLE>"""


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["ID"][0]
        self.server.asked.append(asked)
        body = (answer() if asked == "TOP/Hat.a" else NONE).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.asked = []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv(svo.ENVIRONMENT, f"http://127.0.0.1:{server.server_port}/fps.php")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield server
    server.shutdown()
    server.server_close()


def test_a_curve_is_asked_for_once(service):
    first = Instrument.from_svo(["TOP/Hat.a"], "hat")
    again = Instrument.from_svo(["TOP/Hat.a"], "hat")
    assert service.asked == ["TOP/Hat.a"] and again.fingerprint == first.fingerprint
    assert first.filter_names == ("TOP/Hat.a",)
    (curve,) = first.photometry.filters
    np.testing.assert_allclose(curve.wave, [4000.0, 5000.0, 6000.0])
    np.testing.assert_allclose(curve.trans, [0.0, 0.8, 0.0], rtol=1e-6)
    Instrument.from_svo(["TOP/Hat.a"], refresh=True)
    assert len(service.asked) == 2
    service.shutdown()
    assert Instrument.from_svo(["TOP/Hat.a"]).fingerprint == first.fingerprint  # without a network


def test_what_the_service_does_not_know_is_its_own_words_and_not_kept(service):
    for _ in range(2):
        with pytest.raises(DataError, match="Filter not found"):
            Instrument.from_svo(["TOP/Hat.q"])
    assert len(service.asked) == 2


@pytest.mark.parametrize("name", ["sdss_u", "../../x/y.z", "a/../b", "TOP/Hat.a?x=1", ""])
def test_other_names_are_not_asked_for(service, name):
    with pytest.raises(ConfigError, match="no identifier of SVO"):
        Instrument.from_svo([name])
    assert not service.asked


def test_files_of_the_service(tmp_path):
    photon, energy, plain = (tmp_path / n for n in ("photon.xml", "energy.vot", "hat.dat"))
    photon.write_text(answer())
    energy.write_text(answer("0"))
    plain.write_text("4000 0\n5000 0.8\n6000 0\n")
    one, other, third = Instrument.from_svo([photon]), Instrument.from_svo([energy]), \
        Instrument.from_svo([plain])  # fmt: skip
    assert third.photometry.pivots[0] == pytest.approx(one.photometry.pivots[0])
    # an energy counter weights the blue more: T = R/λ
    assert other.photometry.pivots[0] < one.photometry.pivots[0]
    flat = np.interp(4500.0, *[getattr(other.photometry.filters[0], k) for k in ("wave", "trans")])
    assert flat > 1.02 * np.interp(4500.0, [4000, 5000, 6000], TRANS)


@pytest.mark.parametrize("text", ["", "no xml", "<VOTABLE/>", NONE, answer().replace(
    "<TABLEDATA>", '<BINARY><STREAM href="file:///etc/passwd"/></BINARY><TABLEDATA>')])  # fmt: skip
def test_other_files_are_one_error(text, tmp_path):
    file = tmp_path / "bad.xml"
    file.write_text(text)
    with pytest.raises(DataError, match=r"bad\.xml"):
        svo.read_votable(file)
