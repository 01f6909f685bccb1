"""The report opened in headless Chromium: wide and narrow, light and dark; nothing overflows, fails or is asked for."""

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import threading

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium installed; .ci/run installs it where it can")

SECTIONS = "verdict parity drift curves accuracy images insides speed memory specification".split()
NAMES = {"light": "1", "dark": "0"}

# The page in a frame of the wanted width; what is found there is written where --dump-dom shows it
CHECK = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
<iframe src="report.html" style="width:{width}px;height:900px;border:0"></iframe><pre id="found"></pre><script>
window.onload = () => {{
  const frame = document.querySelector("iframe"), page = frame.contentDocument, root = page.documentElement;
  const missing = {sections}.filter(name => !page.getElementById(name));
  const images = [...page.images].filter(image => !image.complete || image.naturalWidth === 0).length;
  const asked = frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name)
    .filter(name => !name.startsWith("data:"));
  const outside = [...page.querySelectorAll("main > section > *, header *")].filter(
    element => element.getBoundingClientRect().right > root.clientWidth + 1
  ).map(element => element.outerHTML.slice(0, 80));
  const style = frame.contentWindow.getComputedStyle(page.body);
  document.getElementById("found").textContent = JSON.stringify({{
    width: root.clientWidth, scroll: root.scrollWidth, missing, images, asked, outside,
    colour: style.color, background: style.backgroundColor, svgs: page.querySelectorAll("svg").length}});
}};
</script>"""


@pytest.fixture(scope="module")
def server(saved):
    """Serves the directory of the report on this machine; keeps what was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, form, *arguments):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(saved))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


def chromium(address, scheme, profile, *options):
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        f"--blink-settings=preferredColorScheme={NAMES[scheme]}",
        "--window-size=1400,1000",
        "--virtual-time-budget=10000",
        *options,
        address,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page(server, saved, tmp_path, width, scheme):
    address, asked = server
    (saved / "check.html").write_text(CHECK.format(width=width, sections=json.dumps(SECTIONS)))
    asked.clear()
    result = chromium(f"{address}/check.html", scheme, tmp_path, "--dump-dom")
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', result.stdout, re.DOTALL).group(1)))
    assert found["scroll"] <= found["width"] <= width, found
    assert found["missing"] == []
    assert found["outside"] == []
    assert found["images"] == 0
    assert found["asked"] == []
    assert found["svgs"] >= 8
    assert set(asked) == {"/check.html", "/report.html"}
    # Dark is dark, and the ink follows
    brightness = {name: sum(map(int, re.findall(r"\d+", found[name])[:3])) for name in ("colour", "background")}
    assert (brightness["background"] < 200 < brightness["colour"]) == (scheme == "dark"), found
    assert "CONSOLE" not in result.stderr, result.stderr
