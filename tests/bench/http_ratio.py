#!/usr/bin/python3
"""Requests a second of a cached GET /scores/merchant, against nginx serving the same bytes and headers: as
a static file, and from memory (`return`); and against libmicrohttpd alone (http_floor.c). Side by side on one machine,
wrk -t1 -c64, alternating runs, medians; and the processor time of each request, also with the headers of a browser. And the
p99 of each at half of the lowest of these rates, from a client that does not wait for answers (open_loop.c).

All spread the connections over as many threads or processes as there are processors (nginx and http_floor by
`reuseport`). Else one nginx worker may accept all of them: alone on a processor it is faster than two that share it with
wrk, and on a busy machine slower.

Exits 1 if the service reaches less than LIMIT of nginx's static file.
"""

import argparse
import contextlib
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import typing

import common
import emulators
import figures
import http_client
import wait
from figures import Figure

EVENTS = 3000
LIMIT = 0.6
ROUTE = "/scores/merchant"
IDLE_S = 4
OURS, STATIC, RETURN, FLOOR = "winner-view", "nginx's static file", "nginx's return", "libmicrohttpd alone"
# With Host 16. All are to send the same bytes, so none may compress.
BROWSER = (
    "Connection: keep-alive",
    'sec-ch-ua: "Chromium";v="120", "Not_A Brand";v="8"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
    "Upgrade-Insecure-Requests: 1",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Sec-Fetch-Site: none",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-User: ?1",
    "Sec-Fetch-Dest: document",
    "Accept-Encoding: identity",
    "Accept-Language: en-US,en;q=0.9",
    "Cache-Control: max-age=0",
    "Cookie: a=1",
)
# headers that nginx makes itself
OWN_HEADERS = {
    "content-type",
    "content-length",
    "connection",
    "date",
    "server",
    "last-modified",
    "keep-alive",
}

NGINX = """
daemon off;
user root;
worker_processes auto;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 75s;
    open_file_cache max=100;
    open_file_cache_valid 1h;
    sendfile on;
    tcp_nopush on;
    etag off;
    types {{ }}
    default_type "{content_type}";
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport;
        {headers}
        location = /static {{ alias {folder}/body.json; }}
        location = /return {{ return 200 '{body}'; }}
    }}
}}
"""


class Target(typing.NamedTuple):
    port: int
    path: str
    pid: int
    idle: float = 0  # of a processor, which no request uses: the service polls its stream


class Nginx:
    """An nginx with its own configuration that serves the body and headers of `response`."""

    def __init__(self, response, folder):
        self.folder, self.port, self.process = pathlib.Path(folder), emulators.free_port(), None
        body = response.body.decode()
        if "'" in body or "$" in body or "\\" in body:
            raise SystemExit("the board cannot be quoted in nginx's configuration")
        headers = [(name, value) for name, value in response.headers.items() if name not in OWN_HEADERS]
        lines = [f"add_header {name} '{value}';" for name, value in headers]
        (self.folder / "body.json").write_bytes(response.body)
        (self.folder / "nginx.conf").write_text(
            NGINX.format(
                folder=folder,
                port=self.port,
                body=body,
                headers="\n        ".join(lines),
                content_type=response.headers["content-type"].replace('"', ""),
            )
        )

    def __enter__(self):
        self.process = subprocess.Popen(
            ["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)],
            preexec_fn=emulators.die_with_parent,
        )
        wait.until(lambda: emulators.answers(self.port), "nginx answers")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


@contextlib.contextmanager
def running_floor(response, folder):
    """libmicrohttpd alone, serving the body and headers of `response`: its Target."""
    body, port = pathlib.Path(folder) / "floor.json", emulators.free_port()
    body.write_bytes(response.body)
    made_by_itself = {"content-length", "connection", "keep-alive"}
    headers = [f"{name}:{value}" for name, value in response.headers.items() if name not in made_by_itself]
    command = [common.built("http_floor"), str(port), str(body), *headers]
    process = subprocess.Popen(command, preexec_fn=emulators.die_with_parent)
    try:
        wait.until(lambda: emulators.answers(port), "http_floor answers")
        yield Target(port, "/", process.pid)
    finally:
        process.terminate()
        process.wait(20)


def check_same(response, targets):
    for name, target in targets.items():
        other = http_client.request(target.port, target.path)
        missing = response.headers.keys() - other.headers.keys()
        if other.status != 200 or other.body != response.body or missing:
            raise SystemExit(f"{name} serves something else: {other.status} {other.headers}, without {missing}")


def requests_a_second(url, seconds, headers):
    with_headers = [argument for header in headers for argument in ("-H", header)]
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", *with_headers, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    match = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if done.returncode != 0 or not match or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"wrk {url} failed:\n{done.stdout}{done.stderr}")
    return float(match[1])


def processor_s(pid):
    """Of a process and its children that run now: nginx's workers."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(common.processor_s, [pid, *map(int, children)]))


def idle_share(pid):
    """Of a processor, without requests."""
    before = processor_s(pid)
    time.sleep(IDLE_S)
    return (processor_s(pid) - before) / IDLE_S


def load(target, seconds, headers=()):
    """(requests a second, processor microseconds a request) under wrk."""
    before = processor_s(target.pid) + target.idle * seconds
    rate = requests_a_second(f"http://127.0.0.1:{target.port}{target.path}", seconds, headers)
    return rate, (processor_s(target.pid) - before) / (rate * seconds) * 1e6


def in_rounds(one, targets, rounds):
    """{target: [what `one` measures in each round]}; the targets take turns."""
    results = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            results[name].append(one(target))
    return results


def measure_loads(targets, rounds, seconds, headers=()):
    """Of each target a list by round: requests a second, and processor microseconds a request."""
    in_rounds(lambda target: load(target, 1, headers), targets, 1)  # warm
    loads = in_rounds(lambda target: load(target, seconds, headers), targets, rounds)
    return [{name: [pair[i] for pair in found] for name, found in loads.items()} for i in (0, 1)]


def measure_p99s(targets, rounds, rate):
    """Of each target a list by round: p99 in milliseconds at this rate."""
    return in_rounds(
        lambda target: common.open_loop(target.port, target.path, rate, 2, 64)["p99"] / 1000, targets, rounds
    )


def ratios(found, other):
    return [ours / theirs for ours, theirs in zip(found[OURS], found[other], strict=True)]


def notes(title, rates, processor_us):
    middle = lambda values: f"{statistics.median(values):.4g}"  # noqa: E731
    return [
        f"{title}: {name}: {middle(rates[name])} requests/s, {middle(processor_us[name])} us of processors a request"
        for name in rates
    ]


def figures_of(targets, rounds, seconds, size):
    rates, processor_us = measure_loads(targets, rounds, seconds)
    rate = min(map(statistics.median, rates.values())) / 2
    p99s = measure_p99s({name: targets[name] for name in (OURS, STATIC, RETURN)}, rounds, rate)
    in_memory = {name: targets[name] for name in (OURS, RETURN, FLOOR)}
    of_browser, browser_us = measure_loads(in_memory, rounds, seconds, BROWSER)
    what, browser = f"cached GET {ROUTE}", "with a browser's 15 headers"
    found = [
        Figure(f"{what}: requests/s / nginx's static file", ratios(rates, STATIC), 1.3, limit=LIMIT),
        Figure(f"{what}: requests/s / nginx's return", ratios(rates, RETURN), 1),
        Figure(f"{what}: processor time / nginx's return", ratios(processor_us, RETURN), 1.2, True),
        Figure(f"{what}: processor time / libmicrohttpd alone", ratios(processor_us, FLOOR), 1.2, True),
        Figure(f"the same {browser}: processor time / nginx's return", ratios(browser_us, RETURN), 1.2, True),
        Figure(f"the same {browser}: processor time / libmicrohttpd alone", ratios(browser_us, FLOOR), 1.2, True),
        Figure(f"{what}: p99 at half the rate / nginx's static file", ratios(p99s, STATIC), 1, True, is_kept=False),
        Figure(f"{what}: p99 at half the rate / nginx's return", ratios(p99s, RETURN), 1, True, is_kept=False),
    ]
    found[0].notes = [
        f"body of {size} bytes; without requests the service uses {targets[OURS].idle:.2%} of a processor, "
        "which is not counted",
        f"p99 at {rate:.0f} requests/s, ms: "
        + ", ".join(f"{name} {statistics.median(values):.3g}" for name, values in p99s.items()),
        *notes("plain", rates, processor_us),
        *notes(browser, of_browser, browser_us),
    ]
    return found


def measure(running, rounds, seconds):
    """The Figures."""
    common.fill(running, "http", EVENTS)
    with tempfile.TemporaryDirectory() as folder, common.new_daemon(running, "http", "http") as daemon:
        daemon.wait_until_applied(300)
        response = wait.until(lambda: full_board(daemon), "a full board")
        with Nginx(response, folder) as nginx, running_floor(response, folder) as floor:
            others = {
                STATIC: Target(nginx.port, "/static", nginx.process.pid),
                RETURN: Target(nginx.port, "/return", nginx.process.pid),
                FLOOR: floor,
            }
            check_same(response, others)
            pid = daemon.process.pid
            targets = {OURS: Target(daemon.port, ROUTE, pid, idle_share(pid)), **others}
            return figures_of(targets, rounds, seconds, len(response.body))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each run")
    options = parser.parse_args()
    with common.start_emulators() as running:
        found = measure(running, options.rounds, options.seconds)
    return 0 if figures.report(found) else 1


def full_board(daemon):
    response = daemon.get(ROUTE)
    return response if len(response.json()["items"]) == 10 else None


if __name__ == "__main__":
    sys.exit(main())
