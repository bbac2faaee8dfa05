"""A fake SQS on loopback: one queue that accepts SendMessage in AWS's JSON protocol.

    with sqs.Queue() as queue:
        ... --dead-letter sqs:{queue.url}, environment queue.environment ...
        queue.refuse = lambda body: (status, bytes) or None; sqs.LOST: accepted, but the answer is lost
        queue.messages                              # bodies, in the order of arrival

As SQS does, it refuses a message that is empty, above 256 KiB or holds characters that XML does not allow.
"""

import hashlib
import json
import re
import threading

import proxy

NAME = "letters"
ACCOUNT = "000000000000"
MOST_BYTES = 262_144
REFUSED_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LOST = object()


def error(name, message="set by the test", status=400):
    return status, json.dumps({"__type": f"com.amazonaws.sqs#{name}", "message": message}).encode()


class Queue:
    def __init__(self, name=NAME):
        self.name = name
        self.refuse = None
        self.messages, self.attempts = [], 0
        self.lock = threading.Lock()
        self.proxy = proxy.Proxy("http://127.0.0.1:1")  # never contacted: every answer is made here
        self.proxy.on_request = self.answer

    @property
    def url(self):
        return f"{self.proxy.url}/{ACCOUNT}/{self.name}"

    @property
    def requests(self):
        return list(self.proxy.requests)

    @property
    def environment(self):
        return {"AWS_ENDPOINT_URL_SQS": self.proxy.url}

    def letters(self):
        with self.lock:
            return [json.loads(message) for message in self.messages]

    def keys(self):
        return {(one["shard"], one["sequenceNumber"], one["reason"]) for one in self.letters()}

    def check(self, request):
        """SQS's refusal of this request; None: it accepts it."""
        body = request.json()
        if request.method != "POST" or request.header("X-Amz-Target") != "AmazonSQS.SendMessage":
            return error("InvalidAction")
        if request.header("Content-Type") != "application/x-amz-json-1.0":
            return error("InvalidHttpRequest")
        if body.get("QueueUrl") != self.url:
            return error("QueueDoesNotExist", "The specified queue does not exist.")
        message = body.get("MessageBody", "")
        if not 1 <= len(message.encode()) <= MOST_BYTES:
            return error("InvalidParameterValue", f"Message must be shorter than {MOST_BYTES} bytes.")
        return error("InvalidMessageContents") if REFUSED_CHARACTERS.search(message) else None

    def answer(self, request):
        with self.lock:
            self.attempts += 1
            instead = self.check(request) or (self.refuse and self.refuse(request.json()))
            if instead and instead is not LOST:
                return instead
            message = request.json()["MessageBody"]
            self.messages.append(message)
        if instead is LOST:
            raise ConnectionError("the answer is lost")
        return 200, json.dumps(
            {"MessageId": str(len(self.messages)), "MD5OfMessageBody": hashlib.md5(message.encode()).hexdigest()}
        ).encode()

    def __enter__(self):
        self.proxy.__enter__()
        return self

    def __exit__(self, *exception):
        self.proxy.__exit__(*exception)
