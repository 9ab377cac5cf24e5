#!/usr/bin/env python3
"""How costs grow: with processes, threads, clients, children of httpd, aliases and groups.

    benches/scale.py --ours target/stage/mod_wsgi_rs.so [--only threads,rig] [--venv VENV]
                     [--original MODULE] [--peers VENV]

Prints a small table for each part; nothing in one may grow faster than its cause. Every part starts
servers of its own and ends them."""
import argparse
import contextlib
import dataclasses
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import procfs  # noqa: E402
from contenders import EMBEDDED, Contender, table  # noqa: E402
from load import Load  # noqa: E402
from report import number, together  # noqa: E402
from report import table as markdown  # noqa: E402
from server import Server, add_options  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

#: Room for as many connections as any part opens, from the start: event closes kept-alive ones while
#: it has to start children.
ROOMY = ("StartServers 18\nServerLimit 18\nMaxRequestWorkers 1152\n"
         "MinSpareThreads 64\nMaxSpareThreads 1152\n")
GROUP = """\
WSGIDaemonProcess bench python-home=@VENV@ {options}
WSGIProcessGroup bench
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / @ROOT@/@SCRIPT@
"""

def ours(options, lines, **more):
    load = f"LoadModule wsgi_module {os.path.abspath(options.ours)}\n"
    return Contender("ours", "wsgi", httpd=load + lines, **more)


def asked(base, connections, tool="wrk"):
    """The workload with so many connections; it is known by its name from then on."""
    name = f"{base}-{connections}-{tool}"
    WORKLOADS[name] = dataclasses.replace(WORKLOADS[base], connections=connections, tool=tool)
    return name


class Running:
    """A server that answers, and what it has cost."""

    def __init__(self, contender, options):
        self.server, self.options = Server(contender, options), options

    def __enter__(self):
        try:
            self.server.start()
        except BaseException:
            self.server.stop()
            raise
        self.load = Load(self.options)
        return self

    def __exit__(self, *_):
        self.load.close()
        self.server.stop()

    def measure(self, workload, seconds=2):
        self.load.run(self.server, workload, 1)
        return self.load.measure(self.server, workload, seconds, False)


def show(title, columns, rows):
    print("\n".join(markdown(title, columns, rows)), flush=True)


def row(name, one):
    return [str(name), number(one["rps"]), number(one["cpu_us"]), number(one["p50"]),
            number(one["p99"]), number(one["errors"], 0), number(one["pss"])]


COLUMNS = ["req/s", "CPU µs", "p50 ms", "p99 ms", "errors", "PSS MiB"]


def groups_of(options, title, sizes, workload):
    rows = []
    for size in sizes:
        with Running(ours(options, ROOMY + GROUP.format(options=size)), options) as running:
            rows.append(row(size, running.measure(workload)))
    show(title, ["group", *COLUMNS], rows)


def processes(options):
    """hello with more processes."""
    groups_of(options, "Processes, hello, 10 clients",
              [f"processes={count} threads=15" for count in (1, 2, 4, 8)], "hello10")


def threads(options):
    """hello with more threads; memory of one."""
    groups_of(options, "Threads, hello, 64 clients",
              [f"processes=1 threads={count}" for count in (1, 4, 16, 64)], "hello64")


def clients(options):
    """hello with more keep-alive clients, in both modes."""
    rows = []
    for mode, lines in (("embedded", EMBEDDED), ("daemon", GROUP.format(options="processes=2"))):
        with Running(ours(options, ROOMY + lines), options) as running:
            for count in (1, 10, 100, 1000):
                rows.append(row(f"{mode}, {count}", running.measure(asked("hello10", count))))
    show("Clients, hello, keep-alive", ["clients", *COLUMNS], rows)


def sleepers(options):
    """An application that waits 100 ms: no CPU, only threads. With more clients than httpd's children have
    threads, event closes connections that are kept alive, some of them just as the next request comes
    (so it does without any module of ours): then a connection for each request shows what fails."""
    rows = []
    for group, counts in (("processes=1 threads=120", (100, 200, 1000)),
                          ("processes=2 threads=120", (200,))):
        with Running(ours(options, ROOMY + GROUP.format(options=group)), options) as running:
            for count in counts:
                one = running.measure(asked("sleep100", count), seconds=5)
                rows.append(row(f"{group}, {count}", one))
            one = running.measure(asked("sleep100", counts[-1], "ab"), seconds=5)
            rows.append(row(f"{group}, {counts[-1]}, a connection each", one))
    show("A request that sleeps 100 ms", ["group, clients", *COLUMNS], rows)


def rigged(options, children, lines):
    """Who takes part, with so many children of httpd."""
    mpm = (f"StartServers {children}\nServerLimit 256\nMaxRequestWorkers {children}\n"
           f"MinSpareServers {children}\nMaxSpareServers 256\n")
    yield ours(options, mpm + lines, mpm="prefork")
    for one in table(options):
        if one.name == "httpd+flup":
            yield dataclasses.replace(one, mpm="prefork", httpd=mpm + one.httpd)
    if options.original:
        load = f"LoadModule wsgi_module {options.original}\nWSGISocketPrefix @ROOT@/run/wsgi\n"
        yield Contender("mod_wsgi-6.1.1", "wsgi", httpd=load + mpm + lines, mpm="prefork")


def rig(options):
    """A hosting provider's server: prefork with more and more children, 2 processes of 5 threads."""
    servers = {}
    small = "processes=2 threads=5"
    with contextlib.ExitStack() as stack:
        for children in (5, 30, 100):
            for contender in rigged(options, children, GROUP.format(options=small)):
                if all(os.path.exists(path) for path in contender.needs):
                    running = stack.enter_context(Running(contender, options))
                    servers[f"{contender.name}, {children}"] = running
        # By turns: what the machine does meanwhile must not look like the children's doing.
        rounds = [{name: running.measure("nokeep") for name, running in servers.items()}
                  for _ in range(5)]
    rows = [row(name, together([one[name] for one in rounds])) for name in servers]
    show("Prefork, a connection per request (ab -c 10), 2 x 5", ["children", *COLUMNS], rows)


def checked(options, lines):
    """Seconds and MiB of `httpd -t` with these lines."""
    server = Server(ours(options, lines), options)
    try:
        path = os.path.join(server.root, "httpd.conf")
        with open(path, "w") as file:
            file.write(server._configuration())
        # A process of its own knows its children's largest size.
        code = ("import resource, subprocess, sys, time; t = time.monotonic(); "
                "done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
                "print(time.monotonic() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); "
                "sys.exit(done.stderr if done.returncode else 0)")
        done = subprocess.run([sys.executable, "-c", code, options.httpd, "-t", "-d", server.root,
                               "-f", path], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-400:])
        seconds, size = done.stdout.split()
        return float(seconds), int(size) / 1024
    finally:
        server.stop()


def entries(options):
    """Aliases and groups: reading the configuration, and a request behind all of them."""
    def aliases(count):
        return "".join(f"WSGIScriptAlias /a{i} @ROOT@/app.wsgi\n" for i in range(count - 1))

    def groups(count):
        return "".join(f"WSGIDaemonProcess g{i} threads=1 python-home=@VENV@\n"
                       for i in range(count - 1))

    rows = []
    for kind, lines, counts in (("aliases", aliases, (1, 100, 1000, 10000)),
                                ("groups", groups, (1, 100, 1000))):
        for count in counts:
            tail = GROUP.format(options="processes=1 threads=15")
            seconds, size = checked(options, lines(count) + tail)
            cost = [number(seconds * 1000, 0), number(size)]
            if kind == "groups" and count == 1000:      # that many processes are not started here
                rows.append([f"{count} {kind}", *cost, "-", "-", "-"])
                continue
            begun = time.monotonic()
            with Running(ours(options, lines(count) + tail), options) as running:
                start = time.monotonic() - begun
                one = running.measure("hello10")
                rows.append([f"{count} {kind}", *cost, number(start * 1000, 0),
                             number(one["cpu_us"]), number(one["pss"])])
    show("Aliases and groups", ["", "httpd -t ms", "MiB", "first answer ms", "CPU µs", "PSS MiB"],
         rows)


def memory(options):
    """What one more process, and one more thread, takes when all have answered."""
    sizes = {}
    for count, width in ((1, 1), (9, 1), (1, 65)):
        group = GROUP.format(options=f"processes={count} threads={width}")
        with Running(ours(options, ROOMY + group), options) as running:
            running.load.run(running.server, "hello64", 2)
            sizes[count, width] = procfs.memory(running.server.pids())
    show("Memory (PSS)", ["one more", "KiB"],
         [["process of 1 thread", number((sizes[9, 1] - sizes[1, 1]) / 8 * 1024, 0)],
          ["thread", number((sizes[1, 65] - sizes[1, 1]) / 64 * 1024, 0)]])


PARTS = [processes, threads, clients, sleepers, rig, entries, memory]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--only", default="", help="comma list of parts: "
                        + ", ".join(part.__name__ for part in PARTS))
    add_options(parser)
    parser.add_argument("--peers", help="venv of other servers [--venv]")
    parser.add_argument("--original", help="the module of mod_wsgi")
    parser.add_argument("--quiet", type=float, default=0.35)
    options = parser.parse_args()
    options.peers = os.path.abspath(options.peers or options.venv)
    options.venv = os.path.abspath(options.venv)
    options.original = options.original and os.path.abspath(options.original)
    options.mpm, options.unpacked = "event", options.peers
    wanted = [name for name in options.only.split(",") if name]
    for part in PARTS:
        if not wanted or part.__name__ in wanted:
            part(options)


if __name__ == "__main__":
    main()
