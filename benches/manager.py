#!/usr/bin/env python3
"""What the process manager does to requests and memory: restarts, deaths, reloads, start.

    benches/manager.py --ours target/stage/mod_wsgi_rs.so [--only kills,groups] [--venv VENV]

Prints one line for each figure. Every part starts a server of its own and ends it.
"""
import argparse
import asyncio
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import procfs  # noqa: E402
from contenders import Contender  # noqa: E402
from reload import Loop, measure  # noqa: E402
from server import Server, add_options  # noqa: E402

CLOSING = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
GROUP = """\
WSGIDaemonProcess bench python-home=@VENV@ {options}
WSGIProcessGroup bench
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / @ROOT@/@SCRIPT@
"""


def contender(options, lines):
    load = f"LoadModule wsgi_module {os.path.abspath(options.ours)}\n"
    return Contender("ours", "wsgi", httpd=load + lines, reload="slow.wsgi")


def server_of(options, group):
    return Server(contender(options, GROUP.format(options=group)), options)


def named(server, text):
    """Processes of a server whose command line has this text."""
    found = []
    for pid in server.pids():
        with open(f"/proc/{pid}/cmdline") as file:
            if text in file.read():
                found.append(pid)
    return found


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1048576


def outcomes(results):
    counts = {}
    for _, outcome in results:
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def restarts(options):
    """Requests lost over 20 graceful restarts at 300 requests a second."""
    server = server_of(options, "processes=2 threads=15")
    try:
        server.start()

        async def run():
            loop = Loop(server.port, CLOSING)
            load = asyncio.ensure_future(loop.run(300, 11))
            for _ in range(20):
                await asyncio.sleep(0.5)
                os.kill(server.processes[0].pid, signal.SIGUSR1)
            return await load

        results = asyncio.run(run())
        longest = max(latency for latency, _ in results) * 1000
        print(f"20 graceful restarts at 300/s: {outcomes(results)}, longest {longest:.0f} ms")
    finally:
        server.stop()


def kills(options):
    """What 100 kill -9 of daemons cost while requests are queued."""
    server = server_of(options, "processes=2 threads=2 display-name=%{GROUP}")
    counts, stop = {}, threading.Event()

    def client():
        while not stop.is_set():
            try:
                status = server.get("/sleep100", timeout=30)[0]
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            counts[status] = counts.get(status, 0) + 1

    try:
        server.start()
        clients = [threading.Thread(target=client) for _ in range(16)]
        for one in clients:
            one.start()
        for _ in range(100):
            time.sleep(0.2)
            daemons = named(server, "(wsgi:bench)")
            if daemons:
                os.kill(random.choice(daemons), signal.SIGKILL)
        stop.set()
        for one in clients:
            one.join()
        print(f"100 kill -9, 2 processes of 2 threads, 16 clients: {counts}")
    finally:
        stop.set()
        server.stop()


def reloads(options):
    """The longest answer while a script that takes a second to import is touched."""
    for mode in ("rolling", "restart"):
        group = GROUP.format(options=f"processes=2 threads=15 reload={mode}")
        result = measure(contender(options, group), options)
        print(f"reload={mode}, import of 1 s, 200/s: longest {result['max']:.0f} ms, "
              f"p99 {result['p99']:.1f} ms, {result['errors'] or 'no error'}")


def replacement(options):
    """Time from kill -9 to the first answer of the replacement, import of the script included."""
    server = server_of(options, "processes=1 threads=5 display-name=%{GROUP}")
    times = []
    try:
        server.start()
        for _ in range(20):
            time.sleep(0.3)
            os.kill(named(server, "(wsgi:bench)")[0], signal.SIGKILL)
            start = time.monotonic()
            while True:
                if server.get("/hello", timeout=10)[0] == 200:
                    break
            times.append((time.monotonic() - start) * 1000)
        times.sort()
        print(f"kill -9 to the next answer: median {times[10]:.0f} ms, worst {times[-1]:.0f} ms "
              "(a cold start of Python and the import are in it)")
    finally:
        server.stop()


def memory(options):
    """Resident sizes of the supervisor and of an idle daemon, beside a Python that sleeps."""
    server = server_of(options, "processes=1 threads=15 display-name=%{GROUP}")
    bare = subprocess.Popen([os.path.join(options.venv, "bin", "python3"), "-c",
                             "import time; time.sleep(60)"])
    try:
        server.start()
        time.sleep(0.5)
        sizes = [resident(named(server, name)[0]) for name in ("wsgi-supervisor", "(wsgi:bench)")]
        print(f"resident: supervisor {sizes[0]:.1f} MiB, daemon with hello loaded {sizes[1]:.1f} "
              f"MiB, bare python3 {resident(bare.pid):.1f} MiB")
    finally:
        bare.kill()
        bare.wait()
        server.stop()


def groups(options):
    """Time until each of 50 groups has answered."""
    lines = "WSGIApplicationGroup %{GLOBAL}\n"
    for number in range(50):
        lines += (f"WSGIDaemonProcess g{number} threads=2 python-home=@VENV@\n"
                  f"WSGIScriptAlias /g{number} @ROOT@/@SCRIPT@ process-group=g{number}\n")
    lines += "WSGIScriptAlias / @ROOT@/@SCRIPT@ process-group=g0 application-group=%{GLOBAL}\n"
    server = Server(contender(options, lines), options)
    try:
        start = time.monotonic()
        server.start()
        for number in range(50):
            assert server.get(f"/g{number}/hello", timeout=20)[0] == 200
        took = time.monotonic() - start
        print(f"50 groups of 1 process: all have answered after {took:.2f} s")
    finally:
        server.stop()


PARTS = {part.__name__: part for part in (restarts, kills, reloads, replacement, memory, groups)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True, help="our module")
    add_options(parser)
    parser.add_argument("--only", default=",".join(PARTS), help="comma list of parts")
    options = parser.parse_args()
    options.rate = 200
    print(f"machine: {os.cpu_count()} processors, {procfs.speed():.0f} million turns a second")
    for name in options.only.split(","):
        PARTS[name](options)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
