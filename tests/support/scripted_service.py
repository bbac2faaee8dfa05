"""A service whose /live a test writes; everything else is answered by a daemon behind it.

    with scripted_service.ScriptedService(daemon) as service:
        page = visit(service)
        service.until_streams(1)
        service.send("merchant", board)             # to each page that reads /live now
        service.refuse_live(503, {"Retry-After": "30"})
        service.etag = "another"                    # what the page's files get as their ETag; None: the daemon's

Loopback only. Whatever it keeps ends with it.
"""

import http.server
import json
import queue
import threading

import http_client
import wait

PASSED_ON = ("content-type", "content-security-policy", "etag", "cache-control", "view-as-of", "date", "retry-after")
PAGE_FILES = ("/", "/board.css", "/board.js")
WAITING_EVENTS = 1000  # of one page: more and the sender waits


def event_text(event_id, kind, data):
    return f"id: {event_id}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        service, path = self.server.service, self.path.partition("?")[0]
        if path == "/live":
            return self.refuse(*service.refusal) if service.note_reader(self) else self.stream()
        answer = http_client.request(service.upstream, self.path, headers=self.conditions())
        self.send_response_only(answer.status)
        for name in PASSED_ON:
            value = service.etag if name == "etag" and service.etag and path in PAGE_FILES else answer.headers.get(name)
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.write_body(answer.body)

    do_HEAD = do_GET

    def write_body(self, body):
        try:
            self.wfile.write(body)
        except OSError:
            pass  # the page went away

    def conditions(self):
        return {name: self.headers[name] for name in ("If-None-Match",) if name in self.headers}

    def refuse(self, status, headers):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def stream(self):
        self.send_response_only(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        events = self.server.service.add_stream()
        try:
            while (text := events.get()) is not None:
                self.wfile.write(text.encode())
                self.wfile.flush()
        except OSError:
            pass  # the page went away
        self.server.service.remove_stream(events)

    def log_message(self, *_):
        pass


class ScriptedService:
    def __init__(self, daemon):
        self.upstream, self.etag, self.refusal = daemon.port, None, None
        self.readers = []  # of each request for /live: (its target, its Last-Event-ID)
        self.streams, self.events, self.lock = [], 0, threading.Lock()  # queue of each stream
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.service = True, self
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.end_streams()
        self.server.shutdown()
        self.server.server_close()

    def refuse_live(self, status, headers=None):
        self.refusal = (status, headers or {})
        self.end_streams()

    def accept_live(self):
        self.refusal = None

    def note_reader(self, request):
        """Whether it is refused."""
        self.readers.append((request.path, request.headers.get("Last-Event-ID")))
        return self.refusal is not None

    def add_stream(self):
        events = queue.Queue(WAITING_EVENTS)
        with self.lock:
            self.streams.append(events)
        return events

    def remove_stream(self, events):
        with self.lock:
            self.streams.remove(events)

    def write(self, text):
        with self.lock:
            for events in self.streams:
                events.put_nowait(text)

    def send(self, kind, data):
        self.events += 1
        self.write(event_text(f"e-{self.events}", kind, data))

    def end_streams(self):
        self.write(None)

    def until_streams(self, count):
        wait.until(lambda: len(self.streams) >= count, f"{count} streams", seen=lambda: len(self.streams))

    def until_readers(self, count):
        wait.until(lambda: len(self.readers) >= count, f"{count} requests for /live", seen=lambda: self.readers)
