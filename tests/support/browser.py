"""Headless Chromium for tests: tests/support/browser/driver.js with pinned playwright-core.

    with browser.Browser() as running:
        page = running.open(url, viewport=(1280, 800), colorScheme="dark")
        page.until("document.querySelectorAll('tbody tr').length === 10", "ten rows")

Each page has a browser profile of its own, and is closed at the latest with the browser.
"""

import json
import os
import re
import shutil
import subprocess

import emulators
import npm
import wait

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

    def open(self, url, viewport=(1280, 800), clock=False, stalled=(), **options):
        """`options` are playwright's of a context: colorScheme, reducedMotion, ... Requests for a URL that one of the
        patterns in `stalled` matches get no answer."""
        options["viewport"] = {"width": viewport[0], "height": viewport[1]}
        return Page(self, self.ask(open=options, clock=clock, stalled=stalled, url=url), url)


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
        """Waits until a function, or a JavaScript expression, is true; returns its value."""
        ask = condition if callable(condition) else lambda: self.evaluate(condition)
        return wait.until(ask, what, timeout_s, every_s=0.05, seen=lambda: self.text("body"))

    def text(self, selector):
        """The visible text, without empty lines."""
        text = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return re.sub(r"\n\s*", "\n", text)

    def until_text(self, selector, text):
        self.until(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def forward(self, seconds):
        """Advances the clock of a page that was opened with `clock`. Timers that are due fire."""
        self.call("clock.fastForward", seconds * 1000)

    def press(self, *keys):
        for key in keys:
            self.call("keyboard.press", key)

    def axe(self):
        """The violations that the accessibility checker axe finds."""
        return self.ask(axe=True)

    def tree(self, selector):
        """What a screen reader finds in an element: roles, names and states, a line each."""
        return self.ask(tree=selector)

    def noise(self):
        return self.ask(noise=True)

    def memory(self):
        """{nodes, listeners} that are still referenced after garbage was collected."""
        return self.ask(memory=True)

    def close(self):
        self.ask(close=True)
