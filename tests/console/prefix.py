#!/usr/bin/env python3
"""A reverse proxy of a page: the console under a base path, as an ingress or a portal puts it there.

    tests/console/prefix.py UPSTREAM PREFIX

Listens on a free port of loopback, prints the URL of the console under PREFIX (such as /ops/nearline), and sends what comes below
it to UPSTREAM without the prefix; all else is 404. Answers go on as they come, so that streams of events do.
"""

import http.client
import http.server
import sys
import urllib.parse

# Of one connection alone (RFC 9110, 7.6.1).
OF_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}


class Proxy(http.server.BaseHTTPRequestHandler):
    """One request, and its answer until it ends."""

    upstream, prefix = None, None

    def forward(self):
        """Sends the request on, without the prefix, and the answer back."""
        if not self.path.startswith(self.prefix + "/"):
            self.send_error(404, f"only what is below {self.prefix}/ is here")
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=300)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_CONNECTION}
        try:
            asked.request(self.command, self.path[len(self.prefix) :], body or None, headers)
            answer = asked.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in OF_CONNECTION:
                    self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            while part := answer.read1(65_536):
                self.wfile.write(part)
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError, http.client.IncompleteRead):
            pass
        finally:
            asked.close()
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def log_message(self, *_):
        """Says nothing of each request."""


def main():
    Proxy.upstream, Proxy.prefix = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2].rstrip("/")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    print(f"http://127.0.0.1:{server.server_port}{Proxy.prefix}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
