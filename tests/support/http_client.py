"""HTTP requests to a daemon, each on a connection of its own. `judge` checks each response. The integration tests set
it to the check against openapi.yaml. Tests that send bytes by hand use raw_http.py."""

import gzip
import http.client
import json

judge = None


class Response:
    """A finished response: status, headers (names in lower case), body as bytes, as it was sent."""

    def __init__(self, method, target, reply):
        self.method, self.target = method, target
        self.status = reply.status
        self.header_lines = [(name.lower(), value) for name, value in reply.getheaders()]
        self.headers = dict(self.header_lines)
        self.body = reply.read()

    @property
    def content_type(self):
        return self.headers.get("content-type", "").split(";")[0]

    def content(self):
        """The body, decompressed if it was compressed."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body

    def json(self):
        return json.loads(self.content())


def request(port, target, method="GET", headers=None, timeout_s=10):
    """`target` is sent as it is, without escaping."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = Response(method, target, connection.getresponse())
    finally:
        connection.close()
    if judge:
        judge(response)
    return response
