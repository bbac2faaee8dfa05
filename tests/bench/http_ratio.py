#!/usr/bin/python3
"""Requests a second of a cached GET /scores/merchant, against nginx serving the same bytes and headers: as
a static file, and from memory (`return`). Side by side on one machine, wrk -t1 -c64, alternating runs,
medians. And the p99 of each at half of the lowest of these rates, from a client that does not wait for answers
(open_loop.c).

Exits 1 if the service reaches less than LIMIT of nginx's static file.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import common
import emulators
import http_client
import wait

EVENTS = 3000
LIMIT = 0.6
ROUTE = "/scores/merchant"
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


def medians(one, targets, rounds):
    """{target: the median of what `one` measures}, in alternating rounds."""
    results = {name: [] for name in targets}
    for _ in range(rounds):
        for name, (port, path) in targets.items():
            results[name].append(one(port, path))
    return {name: statistics.median(values) for name, values in results.items()}


def measure(daemon, nginx, rounds, seconds):
    """Requests a second, and the p99 in milliseconds at half the least of them."""
    targets = {
        "winner-view": (daemon.port, ROUTE),
        "nginx static": (nginx.port, "/static"),
        "nginx return": (nginx.port, "/return"),
    }
    for port, path in targets.values():
        requests_a_second(f"http://127.0.0.1:{port}{path}", 1)  # warm
    rates = medians(
        lambda port, path: requests_a_second(f"http://127.0.0.1:{port}{path}", seconds), targets, rounds
    )
    rate = min(rates.values()) / 2
    p99s = medians(lambda port, path: common.open_loop(port, path, rate, 2, 64)["p99"] / 1000, targets, rounds)
    return rates, p99s, rate


def report(measured, size):
    rates, p99s, rate = measured
    ours, our_p99 = rates["winner-view"], p99s["winner-view"]
    for name in rates:
        is_other = name != "winner-view"
        print(
            f"{name:13} {rates[name]:9.0f} requests/s"
            + (f"  winner-view x {ours / rates[name]:.2f}" if is_other else " " * 20)
            + f"   p99 {p99s[name]:7.2f} ms at {rate:.0f}/s"
            + (f"  winner-view x {our_p99 / p99s[name]:.2f}" if is_other else "")
        )
    print(
        f"body {size} bytes; ratio to nginx's static file {ours / rates['nginx static']:.2f} "
        f"(at least {LIMIT}; goal 1.3), to its return {ours / rates['nginx return']:.2f} (goal 1.0)"
    )
    return ours / rates["nginx static"] >= LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each run")
    options = parser.parse_args()
    with common.start_emulators() as running, tempfile.TemporaryDirectory() as folder:
        common.fill(running, "http", EVENTS)
        with common.running_daemon(running, "http", "http") as daemon:
            daemon.wait_until_applied(300)
            response = wait.until(lambda: full_board(daemon), "a full board")
            with Nginx(response, folder) as nginx:
                check_same(response, nginx)
                return (
                    0
                    if report(measure(daemon, nginx, options.rounds, options.seconds), len(response.body))
                    else 1
                )


def full_board(daemon):
    response = daemon.get(ROUTE)
    return response if len(response.json()["items"]) == 10 else None


if __name__ == "__main__":
    sys.exit(main())
