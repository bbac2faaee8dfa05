"""What a person at a terminal sees of the service: where it is, how far it is, and then nothing."""

import re

import emulators
import http_client
import program
import pytest
import wait
from small_shop import person, product, puts
from terminal import Terminal

LAMP = puts(product("lamp", person("merchant", "Ann"), None, 1))
LINES = 100_000  # which take several seconds, applied one by one
STAMP = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ (info |warn ) "


@pytest.fixture
def serve(embedded):
    """serve(option..., columns=, TERM=): the service of a backlog, on a terminal."""

    def start(*options, columns=120, **environment):
        embedded.put(LAMP)
        embedded.append((LAMP[-1].data + b"\n") * LINES)
        port = emulators.free_port()
        argv = [program.binary(), "serve", "--listen", f"127.0.0.1:{port}", "--drain-seconds", "0"]
        terminal = Terminal(
            [*argv, *embedded.options, *options],
            {**program.sanitizer_environment(), **embedded.environment, **environment},
            columns,
        )
        terminal.port = port
        return terminal

    return start


LINE = r"catching up: (\d+ %, )?(\d+ \w+|unknown time) left, \d+ records/s, \d+\.\d MB to read"


def wait_for_line(terminal, pattern=LINE, other_than=None):
    """The line below the log, once it is there as a whole."""

    def line():
        last = terminal.screen()[-1]
        return re.fullmatch(pattern, last) and last != other_than and last

    return wait.until(line, "the line", seen=terminal.text)


def wait_until_caught_up(terminal):
    wait.until(lambda: "caught up\r\n" in terminal.text(), "caught up", 120, seen=terminal.text)


def test_the_first_lines_say_where_it_listens_what_it_reads_and_where_it_keeps(serve, embedded):
    with serve() as terminal:
        lines = wait.until(lambda: len(terminal.screen()) > 4 and terminal.screen(), "lines", seen=terminal.text)
    assert [re.sub(STAMP, "", line) for line in lines[:4]] == [
        program.run("--version").stdout.strip(),
        f"listening on  http://127.0.0.1:{terminal.port}/  (on a wall: /?wall)",
        f"reading       file:{embedded.journal}",
        f"keeping in    sqlite:{embedded.database}",
    ]


def test_a_view_that_is_behind_has_one_line_that_changes_and_then_says_caught_up_once(serve):
    with serve("--batch-size", "1") as terminal:
        line = wait_for_line(terminal)
        wait_for_line(terminal, other_than=line)
        assert "catching up" not in "".join(terminal.screen()[:-1])
        wait_until_caught_up(terminal)
        assert terminal.screen()[-1] == ""
    lines = terminal.screen()
    assert sum("caught up" in line for line in lines) == 1
    assert all(re.match(STAMP, line) for line in lines[:-1]) and lines[-1] == ""


def test_log_lines_stand_whole_above_the_line(serve):
    requests = 20
    with serve("--batch-size", "1", "--access-log", "all") as terminal:
        wait_for_line(terminal)
        for _ in range(requests):
            http_client.request(terminal.port, "/livez")
        wait.until(lambda: terminal.text().count("/livez") == requests, "the requests are logged", seen=terminal.text)
    lines = terminal.screen()
    assert all(re.match(STAMP, line) for line in lines[:-1])
    assert sum("/livez" in line for line in lines) == requests


def test_the_line_fits_a_narrow_terminal(serve):
    with serve("--batch-size", "1", columns=30) as terminal:
        assert len(wait_for_line(terminal, "catching up: .{16}")) == 29


@pytest.mark.parametrize("options, environment", [([], {"TERM": "dumb"}), (["--log-format", "json"], {})])
def test_a_dumb_terminal_and_json_get_plain_lines(serve, options, environment):
    with serve(*options, **environment) as terminal:
        wait.until(lambda: "caught up" in terminal.text(), "caught up", 120, seen=terminal.text)
    assert "\x1b" not in terminal.text() and "\r" not in terminal.text().replace("\r\n", "")
    assert all(re.match(STAMP, line) or line.startswith('{"time"') for line in terminal.screen()[:-1])
