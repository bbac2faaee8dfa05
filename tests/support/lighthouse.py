"""Google's Lighthouse, pinned (tests/support/lighthouse), in Debian's Chromium.

    judged = lighthouse.judge(url, "mobile")
    judged.scores["performance"], judged.layout_shift
"""

import collections
import json
import os
import subprocess

import browser
import npm

CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LOAD_MS = 12000  # the page never stops loading: its stream of events has no end
Judged = collections.namedtuple("Judged", "scores layout_shift faults")


def judge(url, form):
    """`form` is mobile or desktop. Scores are 0 to 100. `faults`: what cost points, for a message."""
    command = ["node", "node_modules/lighthouse/cli/index.js", url, "--quiet", "--output=json"]
    command += [f"--max-wait-for-load={LOAD_MS}", "--chrome-flags=--headless=new --no-sandbox"]
    command += [f"--only-categories={','.join(CATEGORIES)}", "--no-enable-error-reporting"]
    if form == "desktop":
        command.append("--preset=desktop")
    environment = {**os.environ, "CHROME_PATH": browser.executable(), "NODE_OPTIONS": ""}
    done = subprocess.run(
        command, cwd=npm.folder("lighthouse"), env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    scores = {name: round(100 * report["categories"][name]["score"]) for name in CATEGORIES}
    audits = report["audits"]
    faults = {name: audits[name].get("displayValue", "") for name in audits if (audits[name]["score"] or 0) < 0.9
              and audits[name]["score"] is not None}  # fmt: skip
    return Judged(scores, audits["cumulative-layout-shift"]["numericValue"], faults)
