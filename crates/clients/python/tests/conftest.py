"""The engine that `.ci/clients` started, and a stub that answers as it is told."""

import itertools
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nearline_client import Nearline, Retry

_numbers = itertools.count()


@pytest.fixture
def engine():
    """A client of the real engine, with the key that it asks for."""
    with Nearline(os.environ["NEARLINE_URL"], os.environ["NEARLINE_KEY"]) as client:
        yield client


@pytest.fixture
def member():
    """A member that no other test has, in this run or another."""
    return f"py-{os.getpid()}-{time.time_ns()}-{next(_numbers)}"


class Stub(ThreadingHTTPServer):
    """Gives its answers in turn, each `(status, headers, body)`; `None` closes the connection without one. Seconds behind
    them pass between head and body, or before the connection is closed.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = []
        self.requests = []
        self.times = []

    def client(self, key=None, **retry):
        return Nearline(f"http://127.0.0.1:{self.server_port}", key, retry=Retry(**{"first_s": 0.01, **retry}))


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        self.server.requests.append((self.path, dict(self.headers), self.rfile.read(length)))
        self.server.times.append(time.monotonic())
        answer = self.server.answers.pop(0)
        if answer is None or answer[0] is None:
            if answer is not None:
                time.sleep(answer[1])
            self.close_connection = True
            return
        status, headers, body, *held_s = answer
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body)), "connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        for seconds in held_s:
            time.sleep(seconds)
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def stub():
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
