"""Chromium, headless, as tests drive it: tests/support/browser/driver.js with pinned playwright-core.

    with browser.Browser() as running:
        page = running.open(url, viewport=(1280, 800), colorScheme="dark")
        page.until("document.querySelectorAll('tbody tr').length === 10", "ten rows")

A page is a browser's profile of its own, and is closed with the browser at the latest.
"""

import json
import os
import re
import shutil
import subprocess
import time

import emulators
import npm

UNTIL_S = 60


def executable():
    found = shutil.which("chromium")
    assert found, "'chromium' is not installed (see deploy/packages.sh, list 'browser')"
    return found


class Browser:
    def __enter__(self):
        self.process = subprocess.Popen(
            ["node", "driver.js", executable()],
            cwd=npm.folder("browser"),
            env={**os.environ, "NODE_OPTIONS": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=emulators.die_with_parent,
        )
        return self

    def __exit__(self, *_):
        self.process.stdin.close()  # the driver closes Chromium, and ends
        self.process.wait(60)
        self.process.stdout.close()

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser's driver has ended"
        reply = json.loads(line)
        assert "error" not in reply, f"{request}: {reply['error']}"
        return reply["value"]

    def open(self, url, viewport=(1280, 800), clock=False, **options):
        """`options` are playwright's of a context: colorScheme, reducedMotion, ..."""
        options["viewport"] = {"width": viewport[0], "height": viewport[1]}
        return Page(self, self.ask(open=options, clock=clock, url=url), url)


class Page:
    def __init__(self, browser, number, url):
        self.browser, self.number, self.url = browser, number, url

    def ask(self, **request):
        return self.browser.ask(page=self.number, **request)

    def call(self, name, *values):
        return self.ask(call=name, **{"with": values})

    def evaluate(self, expression):
        return self.call("evaluate", expression)

    def until(self, condition, what, timeout_s=UNTIL_S):
        """Waits until a function, or a JavaScript expression, gives something true; returns it."""
        ask = condition if callable(condition) else lambda: self.evaluate(condition)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            value = ask()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"not within {timeout_s} s: {what}; the page says:\n{self.text('body')}")

    def text(self, selector):
        """What can be read there, without empty lines."""
        text = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return re.sub(r"\n\s*", "\n", text)

    def until_text(self, selector, text):
        self.until(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def forward(self, seconds):
        """Lets the clock of a page that was opened with `clock` jump; timers that are due then fire."""
        self.call("clock.fastForward", seconds * 1000)

    def press(self, *keys):
        for key in keys:
            self.call("keyboard.press", key)

    def axe(self):
        """What the accessibility checker axe finds wrong."""
        return self.ask(axe=True)

    def noise(self):
        return self.ask(noise=True)

    def close(self):
        self.ask(close=True)
