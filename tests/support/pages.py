"""What tests of the page share: how they read it, and what they put in front of it. The fixtures `chromium`, `visit` and
`market` are in tests/integration/conftest.py."""

import contextlib
import re
import struct
import subprocess
import sys

import live
import model
import program
from small_shop import event, person, product, puts

SCREENSHOTS = program.ROOT / "build" / "screenshots"
ANN, BOB = person("merchant", "Ann"), person("merchant", "Bob")
PIA = person("photographer", "Pia")
SMALL = [*product("lamp", ANN, PIA, 3), *product("rug", BOB, None, 2)]
HOSTILE = '<img src=x onerror="document.title=1">'
PASSING = r"Failed to load resource: "

ROWS = """[...document.querySelectorAll('#%s tbody tr')].map(row => ['.rank', 'th a', '.move', '.points'].map(part => {
  const found = row.querySelector(part);
  return (found.querySelector('[aria-hidden]') ?? found).textContent;
}))"""

ROWS_WITHOUT_LINE = """[...document.querySelectorAll('.board tbody .line')].filter(line =>
  line.checkVisibility() && line.clientWidth > 0 && !line.querySelector('.sparkline')).length"""


def assert_quiet(page, allowed):
    noise = page.noise()
    origin = re.split("[?#]", page.url)[0]
    loud = [
        one for one in noise["console"] if not (allowed and re.match(f"{PASSING}({allowed})", one["text"]))
    ]
    assert not loud, loud
    assert not noise["errors"] and not noise["violations"]
    asked = [url for url in noise["requests"] if not url.startswith((origin, "data:"))]
    assert noise["requests"] and not asked


def put_sample(pair, days=2):
    """Days of the sample shop: more than ten merchants and photographers."""
    command = [sys.executable, str(program.ROOT / "deploy" / "sample_shop.py"), f"file:{pair.journal}"]
    subprocess.run([*command, "--rate", "0", "--days", str(days), "--seed", "1"], check=True, timeout=60)


def rows(page, role):
    """[rank, name, movement, score] of each row, as it is visible."""
    return page.evaluate(ROWS % role)


def wait_for_rows(page, role, expected):
    page.until(lambda: rows(page, role) == expected, f"{role}: {expected}")


def wait_for_state(page, state):
    page.until(f"document.querySelector('#connection').dataset.state === '{state}'", state)


def wait_for_board(page):
    page.until("document.querySelectorAll('tbody tr').length", "rows")


def purchases(product_id, n):
    return puts([event(model.PURCHASE, product_id, person("customer", "Cy"))] * n)


def start_small(pair, start_on, *options):
    pair.put(puts(SMALL))
    daemon = start_on(pair, *options)
    daemon.wait_until_applied()
    return daemon


def is_stale(page):
    return page.evaluate("document.querySelectorAll('[data-stale]').length") >= 2


def asked(page, name):
    return sum(url.split("?")[0].endswith(f"/{name}") for url in page.noise()["requests"])


@contextlib.contextmanager
def reader_of_live(daemon):
    """Is one of the readers of /live."""
    with live.dial(daemon.port) as reader, reader.makefile("rb") as file:
        assert live.read_head(file)[0] == 200
        yield


def live_readers(daemon):
    return daemon.metric("winner_view_live_readers")


def set_hidden(page, hidden):
    page.evaluate(
        f"""{{
      Object.defineProperty(document, "hidden", {{value: {hidden}, configurable: true}});
      document.dispatchEvent(new Event("visibilitychange"));
    }}"""
    )


def take(page, name):
    page.until("document.getAnimations().length === 0", "nothing moves")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.call("screenshot", {"path": str(SCREENSHOTS / f"{name}.png")})


def png_size(path):
    """Width and height, which follow a PNG file's signature and the name of its first chunk (PNG, sections 5.2 and 11.2.2)."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR", path
    return struct.unpack(">II", head[16:])
