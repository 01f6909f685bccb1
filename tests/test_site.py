"""The site: no warning, every public name and notebook on a page, formulas drawn, nothing asked of others."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import crosscheck
from model_spec import layers, losses, optimizers
from tests.browser import NEEDED, SCHEMES, WIDTHS, faults, served

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; a warning is an error."""
    pytest.importorskip("material", reason="the site needs mkdocs-material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_public_name_has_its_entry(site):
    wanted = {f"{package}.{name}" for package, names in crosscheck.PUBLIC.items() for name in names.split()}
    wanted |= {f"model_spec.layers.{name}" for name in layers.LAYERS}
    wanted |= {f"model_spec.optimizers.{kind.__name__}" for kind in optimizers.OPTIMIZERS.values()}
    wanted |= {f"model_spec.losses.{kind.__name__}" for kind in losses.LOSSES.values()}
    found = {name for page in (site / "api").glob("*.html") for name in re.findall(r' id="([\w.]+)"', page.read_text())}
    assert wanted <= found, sorted(wanted - found)


def test_notebooks_are_pages_with_what_they_print(site):
    for path in (PROJECT / "docs/notebooks").glob("*.ipynb"):
        page = html.unescape((site / "notebooks" / f"{path.stem}.html").read_text())
        for cell in json.loads(path.read_text())["cells"]:
            for output in cell.get("outputs", ()):
                for line in output.get("text", ()):
                    assert line.strip() in page
    assert 'href="notebooks/2_two_backends.html"' in (site / "index.html").read_text()


def test_each_row_of_the_reproduction_has_its_page(site):
    text = (PROJECT / "docs/reproduction.md").read_text()
    rows = dict(re.findall(r'<a id="([\w-]+)"></a>\n\n## (.*)', text))
    assert len(rows) > 20
    assert sorted(rows) == sorted(path.stem for path in (site / "reproduction").glob("*.html"))
    overview = (site / "reproduction.html").read_text()
    for row, title in rows.items():
        assert f'href="reproduction/{row}.html"' in overview
        page = (site / f"reproduction/{row}.html").read_text()
        pictures = re.findall(r'src="(\.\./records/[^"]*)"', page)
        assert all((site / "reproduction" / picture).is_file() for picture in pictures)
        assert re.search(rf"<h1[^>]*>{re.escape(title)}<", html.unescape(page))
    assert "<h2" not in overview


def test_formulas_are_drawn_by_the_browser_alone(site):
    for name in ("reference", "tolerance"):
        page = (site / f"{name}.html").read_text()
        assert page.count("<math") > 10
        assert "arithmatex" not in page and "$" not in re.sub(r"<(pre|code).*?</\1>", "", page, flags=re.DOTALL)


def test_no_page_asks_anybody_for_anything(site):
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert not re.findall(r'<(?:script|img|iframe)[^>]* src="?(?:https?:)?//', text), page.name
        assert not re.findall(r'<link[^>]* rel="?(?:stylesheet|preconnect)[^>]*(?:https?:)?//', text), page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?https?:", style.read_text()), style.name


@pytest.fixture(scope="module")
def address(site):
    with served(site) as found:
        yield found


PAGES = (
    "index",
    "api/layers",
    "api/bridge",
    "reference",
    "tolerance",
    "reproduction",
    "reproduction/lenet-dropout",
    "notebooks/2_two_backends",
)


@NEEDED
@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_page_in_a_browser(browser, address, page, width, scheme):
    assert faults(browser, f"{address}/{page}.html", width, scheme) == {}
    is_dark = browser.evaluate('document.body.getAttribute("data-md-color-scheme")') == "slate"
    assert is_dark == (scheme == "dark")
