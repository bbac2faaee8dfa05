#!/usr/bin/python3
"""Requests a second of a cached GET /scores/merchant, against nginx serving the same bytes and headers: as
a static file, and from memory (`return`). Side by side on one machine, wrk -t1 -c64, alternating runs,
medians; and the processor time of each request. And the p99 of each at half of the lowest of these rates, from a client that
does not wait for answers (open_loop.c).

Exits 1 if the service reaches less than LIMIT of nginx's static file.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
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
OURS, STATIC, RETURN = "winner-view", "nginx's static file", "nginx's return"
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
worker_processes 2;
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
        listen 127.0.0.1:{port};
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


def check_same(response, nginx):
    for path in ("/static", "/return"):
        other = http_client.request(nginx.port, path)
        missing = response.headers.keys() - other.headers.keys()
        if other.status != 200 or other.body != response.body or missing:
            raise SystemExit(
                f"nginx {path} serves something else: {other.status} {other.headers}, without {missing}"
            )


def requests_a_second(url, seconds):
    done = subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{seconds}s", url], capture_output=True, text=True, timeout=seconds + 60
    )
    match = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if done.returncode != 0 or not match or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"wrk {url} failed:\n{done.stdout}{done.stderr}")
    return float(match[1])


def processor_s(pid):
    """Of a process and its children that run now: nginx's workers."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(common.processor_s, [pid, *children]))


def load(target, seconds):
    """(requests a second, processor microseconds a request) under wrk."""
    before = processor_s(target.pid)
    rate = requests_a_second(f"http://127.0.0.1:{target.port}{target.path}", seconds)
    return rate, (processor_s(target.pid) - before) / (rate * seconds) * 1e6


def in_rounds(one, targets, rounds):
    """{target: [what `one` measures in each round]}; the targets take turns."""
    results = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            results[name].append(one(target))
    return results


def measure_targets(daemon, nginx, rounds, seconds):
    """Of each target a list by round: requests a second; processor microseconds a request; p99 in milliseconds at half of the
    lowest rate, which is returned too."""
    targets = {
        OURS: Target(daemon.port, ROUTE, daemon.process.pid),
        STATIC: Target(nginx.port, "/static", nginx.process.pid),
        RETURN: Target(nginx.port, "/return", nginx.process.pid),
    }
    in_rounds(lambda target: load(target, 1), targets, 1)  # warm
    loads = in_rounds(lambda target: load(target, seconds), targets, rounds)
    rates = {name: [rate for rate, _ in found] for name, found in loads.items()}
    processor_us = {name: [us for _, us in found] for name, found in loads.items()}
    rate = min(map(statistics.median, rates.values())) / 2
    p99s = in_rounds(lambda target: common.open_loop(target.port, target.path, rate, 2, 64)["p99"] / 1000, targets, rounds)
    return rates, processor_us, p99s, rate


def ratios(found, other):
    return [ours / theirs for ours, theirs in zip(found[OURS], found[other], strict=True)]


def as_figures(measured, size):
    rates, processor_us, p99s, rate = measured
    what = f"cached GET {ROUTE}"
    found = [
        Figure(f"{what}: requests/s / nginx's static file", ratios(rates, STATIC), 1.3, limit=LIMIT),
        Figure(f"{what}: requests/s / nginx's return", ratios(rates, RETURN), 1),
        Figure(f"{what}: processor time / nginx's return", ratios(processor_us, RETURN), 1.2, True),
        Figure(f"{what}: p99 at half the rate / nginx's static file", ratios(p99s, STATIC), 1, True, is_kept=False),
        Figure(f"{what}: p99 at half the rate / nginx's return", ratios(p99s, RETURN), 1, True, is_kept=False),
    ]
    middle = lambda values: f"{statistics.median(values):.4g}"  # noqa: E731
    found[0].notes = [f"body of {size} bytes; p99 at {rate:.0f} requests/s"] + [
        f"{name}: {middle(rates[name])} requests/s, {middle(processor_us[name])} us of processors a request, "
        f"p99 {middle(p99s[name])} ms"
        for name in rates
    ]
    return found


def measure(running, rounds, seconds):
    """The Figures."""
    common.fill(running, "http", EVENTS)
    with tempfile.TemporaryDirectory() as folder, common.running_daemon(running, "http", "http") as daemon:
        daemon.wait_until_applied(300)
        response = wait.until(lambda: full_board(daemon), "a full board")
        with Nginx(response, folder) as nginx:
            check_same(response, nginx)
            return as_figures(measure_targets(daemon, nginx, rounds, seconds), len(response.body))


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
