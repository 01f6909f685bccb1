"""The pages of results in headless Chromium: wide and narrow, light and dark; and faults that must be found."""

import re
from dataclasses import replace

import pytest

import bridge
from benchmarks import report, side_by_side
from tests.browser import NEEDED, SCHEMES, WIDTHS, faults, served

pytestmark = NEEDED

SECTIONS = "verdict network parity drift curves accuracy images insides speed memory specification".split()


@pytest.fixture(scope="module")
def pages(comparison, tmp_path_factory):
    """The address of a folder of results as ``crosscheck compare`` leaves it, one of them with a planted fault."""
    folder = tmp_path_factory.mktemp("runs")
    report.save(comparison, folder / "lenet")
    x, y = comparison.data.train
    parity = bridge.compare(comparison.spec, x[:8], y[:8], dtype="float64", prepare=bridge.plant("uninverted-dropout"))
    nothing = {"drift": [], "accuracies": [], "insides": None, "speed": None, "beginning": None}
    report.save(replace(comparison, parity=parity, **nothing), folder / "fault")
    other = replace(comparison, spec=replace(comparison.spec, name="another_name"))
    side_by_side.save([(comparison, folder / "lenet"), (other, folder / "lenet")], folder)
    with served(folder) as address:
        yield address


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", ["lenet/report", "fault/report", "side_by_side"])
def test_page(browser, pages, page, width, scheme):
    assert faults(browser, f"{pages}/{page}.html", width, scheme) == {}
    assert browser.asked() == [f"{pages}/{page}.html"]
    if page == "lenet/report":
        assert browser.evaluate(f"{SECTIONS}.filter(name => !document.getElementById(name))") == []
        assert browser.evaluate('document.querySelectorAll("svg").length') >= 8
    # Dark is dark, and the ink follows
    ink, paper = (
        sum(map(int, re.findall(r"\d+", browser.evaluate(f"getComputedStyle(document.body).{name}"))[:3]))
        for name in ("color", "backgroundColor")
    )
    assert (paper < 200 < ink) == (scheme == "dark")


def test_a_cell_of_the_heat_map_leads_to_its_tensor(browser, pages):
    browser.open(f"{pages}/lenet/report.html", 1280, "light")
    link = 'document.querySelector(".heat a")'
    assert not browser.evaluate(f"document.querySelector({link}.hash).checkVisibility()")
    tensor = browser.evaluate(f"{link}.title").split(":")[0]
    browser.evaluate(f"{link}.focus()")
    browser.press("Enter")
    assert browser.evaluate(f"document.querySelector({link}.hash).checkVisibility()")
    assert browser.evaluate(f"document.querySelector({link}.hash).cells[1].textContent") == tensor


FAULTS = {
    "wider than the page": '<div style="width: 3000px">wide</div>',
    "not reached by Tab": '<span title="more">told to mice alone</span><button tabindex="-1">skipped</button>',
    "contrast below AA": '<p style="color: #949494">grey</p><p style="opacity: .4; font-size: 24px">faint</p>'
    '<svg width="80" height="40"><rect width="80" height="40" fill="#4292c6"/>'
    '<text x="9" y="20" style="font-size: 9px; fill: #fff">on a shape</text></svg>',
    "pictures that do not load": '<img src="data:image/png;base64,AAAA" width="9" height="9">',
    "asked of others": '<img src="http://localhost:1/picture.png" alt="">',
    "complaints": "<script>nothing.at_all()</script>",
}
COUNTS = {"not reached by Tab": 2, "contrast below AA": 3}


@pytest.mark.parametrize("wrong", FAULTS)
def test_a_planted_fault_is_found(browser, tmp_path, wrong):
    """Each check fails on a page made wrong for it, at as many places as there are."""
    (tmp_path / "page.html").write_text(
        f'<!doctype html><link rel="icon" href="data:,"><body style="background: #fff; color: #000">{FAULTS[wrong]}'
    )
    with served(tmp_path) as address:
        found = faults(browser, f"{address}/page.html", 390, "light")
    assert len(found[wrong]) >= COUNTS.get(wrong, 1), found
