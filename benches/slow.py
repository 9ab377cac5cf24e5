#!/usr/bin/env python3
"""What slow clients do to others: readers and uploaders at a trickle beside requests that are timed.

    benches/slow.py --ours target/stage/mod_wsgi_rs.so [--original MODULE] [--seconds 30]

64 clients read a response of 50 MB (--size) at 100 KB/s each and 64 send 10 MB at 100 KB/s each, to one
process of 4 threads. Meanwhile one client asks for something small, again and again: its times are what
counts. Responses wait in temporary files: 64 times their size must fit on the disk."""
import argparse
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import procfs  # noqa: E402
from contenders import Contender  # noqa: E402
from report import number  # noqa: E402
from report import table as markdown  # noqa: E402
from server import Server, add_options  # noqa: E402

#: Bytes that a slow client reads or sends at a time, and how often in a second.
PIECE, RATE = 10_000, 10
CLIENTS = 64
SENT = 10_000_000
LINES = """\
ServerLimit 4
ThreadsPerChild 64
MaxRequestWorkers 256
WSGIDaemonProcess bench processes=1 threads=4 python-home=@VENV@
WSGIProcessGroup bench
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias / @ROOT@/slow_clients.wsgi
"""
APP = """\
BLOCK = b'x' * 50_000

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    path = environ['PATH_INFO']
    if path == '/large':
        return (BLOCK for _ in range(@BLOCKS@))
    if path == '/upload':
        stream, length = environ['wsgi.input'], 0
        while block := stream.read(65536):
            length += len(block)
        return [b'%d' % length]
    return [b'Hello World!\\n']
"""


class Trickle(threading.Thread):
    """All slow clients, in one thread."""

    def __init__(self, port, seconds):
        super().__init__()
        self.port, self.end = port, time.monotonic() + seconds
        self.read = self.sent = self.broken = 0

    def run(self):
        readers = [self.ask(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(CLIENTS)]
        head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % SENT
        senders = {self.ask(head): 0 for _ in range(CLIENTS)}
        piece = b"y" * PIECE
        while time.monotonic() < self.end:
            begun = time.monotonic()
            for client in readers:
                self.read += self.step(lambda: len(client.recv(PIECE)))
            for client, sent in senders.items():
                if sent < SENT:
                    count = self.step(lambda: client.send(piece[:SENT - sent]))
                    senders[client] += count
                    self.sent += count
            time.sleep(max(0, 1 / RATE - (time.monotonic() - begun)))
        for client in [*readers, *senders]:
            client.close()

    def ask(self, request):
        client = socket.create_connection(("127.0.0.1", self.port))
        if request.startswith(b"GET"):
            # As little as a distant client's window.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(request)
        client.setblocking(False)
        return client

    def step(self, action):
        try:
            return action()
        except BlockingIOError:
            return 0
        except OSError:
            self.broken += 1
            return 0


def measure(contender, options):
    server = Server(contender, options)
    with open(os.path.join(server.root, "slow_clients.wsgi"), "w") as file:
        file.write(APP.replace("@BLOCKS@", str(options.size * 20)))
    os.chmod(os.path.join(server.root, "slow_clients.wsgi"), 0o644)
    try:
        server.start()
        before = procfs.memory(server.pids())
        trickle = Trickle(server.port, options.seconds)
        trickle.start()
        times, failed, peak = [], 0, 0
        while trickle.is_alive():
            begun = time.monotonic()
            try:
                status, _ = server.get("/hello", timeout=max(1, options.seconds))
                failed += status != 200
            except OSError:
                failed += 1
            times.append(time.monotonic() - begun)
            if len(times) % 50 == 0:
                peak = max(peak, procfs.memory(server.pids()))
            time.sleep(0.02)
        trickle.join()
        peak = max(peak, procfs.memory(server.pids()))
    finally:
        server.stop()
    times.sort()
    rank = lambda share: times[min(len(times) - 1, int(len(times) * share))] * 1000  # noqa: E731
    return [contender.name, str(len(times)), str(failed), number(rank(0.5)), number(rank(0.99)),
            number(times[-1] * 1000), number(trickle.read / 1e6), number(trickle.sent / 1e6),
            number(before), number(peak)]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--original", help="the module of mod_wsgi")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--size", type=int, default=50, help="MB of a large response [%(default)s]")
    add_options(parser)
    options = parser.parse_args()
    options.venv = os.path.abspath(options.venv)
    load = f"LoadModule wsgi_module {os.path.abspath(options.ours)}\n"
    taking_part = [Contender("ours", "wsgi", httpd=load + LINES)]
    if options.original:
        load = (f"LoadModule wsgi_module {os.path.abspath(options.original)}\n"
                "WSGISocketPrefix @ROOT@/run/wsgi\n")
        taking_part.append(Contender("mod_wsgi-6.1.1", "wsgi", httpd=load + LINES))
    rows = [measure(contender, options) for contender in taking_part]
    print("\n".join(markdown("A small request beside 64 slow readers and 64 slow uploads",
                             ["", "requests", "failed", "p50 ms", "p99 ms", "longest ms", "read MB",
                              "sent MB", "PSS MiB before", "PSS MiB peak"], rows)))


if __name__ == "__main__":
    main()
