"""A headless Chromium for tests, driven over a pipe: pages at a width and in a scheme, what is wrong with them.

The protocol is that of Chromium's developer tools: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import contextlib
import fcntl
import functools
import http.server
import json
import os
import select
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
NEEDED = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium installed; .ci/run installs it where it can")

_SECONDS = 60
_CHECKS = (Path(__file__).parent / "browser_checks.js").read_text()
_OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe"
).split()


class Browser:
    """One Chromium; :meth:`open` gives its one page at an address."""

    def __init__(self, profile):
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4: ours are moved out of the way first
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (read_commands, write_answers)]
        actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, end, number) for number, end in zip((3, 4), ends, strict=True)]
        command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}"]
        self._process = os.posix_spawn(CHROMIUM, command, os.environ, file_actions=actions)
        for end in (read_commands, write_answers, *ends):
            os.close(end)
        self._number, self._rest, self._session, self.events = 0, b"", None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        """End the Chromium."""
        os.kill(self._process, signal.SIGTERM)
        os.waitpid(self._process, 0)
        os.close(self._commands)
        os.close(self._answers)

    def call(self, method, **parameters):
        """What a command of the protocol answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        number = self._number
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        while b"\0" not in self._rest:
            assert select.select([self._answers], [], [], _SECONDS)[0], f"Chromium is silent for {_SECONDS} s"
            part = os.read(self._answers, 1 << 20)
            assert part, "Chromium has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, address, width, scheme):
        """Load a page at a width in pixels, on a system that is "light" or "dark"."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())
        self.evaluate(_CHECKS)
        # Scripts and transitions come to rest
        time.sleep(0.3)

    def evaluate(self, expression):
        """The value of an expression of JavaScript in the page."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def asked(self):
        """Addresses that the page has asked for, without those that lie in the page itself."""
        asked = [event["params"]["request"]["url"] for event in self._told("Network.requestWillBeSent")]
        return [address for address in asked if not address.startswith(("data:", "blob:"))]

    def complaints(self):
        """Errors of scripts, and what the browser refuses to load or to run."""
        thrown = [event["params"]["exceptionDetails"]["text"] for event in self._told("Runtime.exceptionThrown")]
        entries = [event["params"]["entry"] for event in self._told("Log.entryAdded")]
        return thrown + [entry["text"] for entry in entries if entry["level"] in ("error", "warning")]

    def _told(self, method):
        return [event for event in self.events if event.get("method") == method]

    def press(self, key):
        """Press and release a key, "Tab" or "Enter"."""
        code, text = {"Tab": (9, ""), "Enter": (13, "\r")}[key]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def unreached_by_tab(self):
        """Links, buttons, summaries, tooltips and scrolled regions that the Tab key does not come to."""
        wanted = self.evaluate("checks.watchFocus()")
        for _ in range(2 * wanted + 500):
            self.press("Tab")
            if self.evaluate("checks.isAround()"):
                break
        return self.evaluate("checks.unreached()")

    def screenshot(self, path):
        """Write a picture of the whole page."""
        height = min(self.evaluate("document.documentElement.scrollHeight"), 12000)
        width = self.evaluate("document.documentElement.clientWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def served(folder):
    """The address of a folder while it is served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, form, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def faults(browser, address, width, scheme):
    """{what is wrong: where} of a page; empty where nothing is.

    Nothing wider than the page, no request to others, every detail reached by the Tab key, and contrast AA of
    https://www.w3.org/TR/WCAG21/#contrast-minimum with everything unfolded.
    """
    browser.open(address, width, scheme)
    browser.evaluate("checks.unfold()")
    assert width == browser.evaluate("document.documentElement.clientWidth")
    own = address.split("/")[:3]
    found = {
        "wider than the page": browser.evaluate("checks.overflow()"),
        # The way of the Tab key is the same in any colors
        "not reached by Tab": browser.unreached_by_tab() if scheme == SCHEMES[0] else [],
        "contrast below AA": browser.evaluate("checks.contrast()"),
        "pictures that do not load": browser.evaluate("checks.brokenImages()"),
        "asked of others": [asked for asked in browser.asked() if asked.split("/")[:3] != own],
        "complaints": browser.complaints(),
    }
    return {name: places for name, places in found.items() if places}
