#!/usr/bin/env python3
"""Runs servers side by side, in rounds, and prints tables; README.md beside this file says how."""
import argparse
import contextlib
import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import chart  # noqa: E402
import procfs  # noqa: E402
import reload  # noqa: E402
import report  # noqa: E402
from contenders import table  # noqa: E402
from load import Load  # noqa: E402
from server import Failed, Server, add_options  # noqa: E402
from workloads import QUICK, WORKLOADS  # noqa: E402

BASELINE = "mod_wsgi-6.1.1-daemon"
TROUBLE = (Failed, OSError, http.client.HTTPException, subprocess.TimeoutExpired)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", help="our module")
    parser.add_argument("--original", help="the module of mod_wsgi")
    add_options(parser)
    parser.add_argument("--peers", help="venv of other servers [the applications' venv]")
    parser.add_argument("--unpacked", help="root of unpacked Debian packages (mod_wsgi, mod_php)")
    parser.add_argument("--group", default="all", help="comma list of wsgi, proxy, standalone, "
                                                       "ceiling, or all [all]")
    parser.add_argument("--only", default="", help="comma list of contenders instead of groups")
    parser.add_argument("--workloads", default=",".join(QUICK), help="comma list, or all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=2, help="seconds of one measurement")
    parser.add_argument("--mpm", default="event", help="comma list of event, worker, prefork")
    parser.add_argument("--counters", action="store_true", help="also perf stat, on hello10")
    parser.add_argument("--reload", action="store_true", help="also the reload test")
    parser.add_argument("--rate", type=float, default=200, help="requests a second while reloading")
    parser.add_argument("--baseline", default=BASELINE)
    parser.add_argument("--lock", help="file whose flock is held while measuring")
    parser.add_argument("--quiet", type=float, default=0.35,
                        help="repeat when other processes used more cores than this")
    parser.add_argument("--json", help="write the figures here")
    parser.add_argument("--md", help="write the tables here")
    parser.add_argument("--svg", help="write a chart of CPU time here")
    parser.add_argument("--results", action="store_true",
                        help="write RESULTS.md and RESULTS.svg beside this program")
    parser.add_argument("--list", action="store_true", help="list the contenders")
    options = parser.parse_args()
    # Servers run in folders of their own.
    for name in ("venv", "peers", "unpacked"):
        value = getattr(options, name) or options.venv
        setattr(options, name, os.path.abspath(value))
    options.names = list(WORKLOADS) if options.workloads == "all" \
        else [name for name in options.workloads.split(",") if name]
    unknown = [name for name in options.names if name not in WORKLOADS]
    if unknown:
        parser.error("no such workload: " + ", ".join(unknown))
    return options


def chosen(options):
    """The contenders that take part; the baseline always does."""
    groups, names = options.group.split(","), [one for one in options.only.split(",") if one]

    def takes_part(one):
        if names:
            return one.name in names + [options.baseline]
        return "all" in groups or one.group in groups

    return [one for one in table(options) if takes_part(one)]


@contextlib.contextmanager
def alone(path):
    """Nobody else measures meanwhile, where a lock file was agreed on."""
    with contextlib.ExitStack() as stack:
        if path:
            file = stack.enter_context(open(path, "a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def measure(contender, options, load, index, result):
    """One round of one contender."""
    server = Server(contender, options)
    try:
        server.start()
        result["startup"] = server.startup
        todo = [name for name in options.names if name in contender.workloads]
        for name in todo:
            try:
                one = load.measure(server, name, options.duration, name == todo[0])
                result.setdefault("pss", one["pss"])
                print(f"round {index + 1}  {contender.name:26} {name:10} {one['cpu_us']:8.1f} µs "
                      f"{one['rps']:9.0f} req/s  {one['errors']} errors", file=sys.stderr, flush=True)
            except TROUBLE as error:
                one = {"error": str(error) or repr(error)}
                print(f"   {contender.name}, {name}: {one['error']}", file=sys.stderr, flush=True)
                server.check_alive()
            result["rounds"].setdefault(name, {})[index] = one
        if options.counters and index == 0 and "hello10" in contender.workloads:
            load.check(server, "hello10")
            load.run(server, "hello10", 1)
            result["counters"] = load.counters(server, "hello10")
    finally:
        server.stop()


def rounds(contenders, options, load, data):
    """All rounds; a contender that fails to start is left out from then on."""
    remaining = list(contenders)
    for index in range(options.rounds):
        for contender in list(remaining):
            with alone(options.lock):
                result = data["contenders"].setdefault(
                    contender.name, {"note": contender.note, "rounds": {}})
                result.setdefault("speed", []).append(round(procfs.speed(), 1))
                try:
                    measure(contender, options, load, index, result)
                except Failed as error:
                    print(f"   {contender.name}: {error}", file=sys.stderr, flush=True)
                    data["skipped"][contender.name] = str(error)
                    remaining.remove(contender)
    for contender in remaining:
        if options.reload and contender.reload:
            with alone(options.lock):
                try:
                    one = reload.measure(contender, options)
                except Failed as error:
                    one = {"error": str(error)}
            data["contenders"][contender.name]["reload"] = one


def main():
    options = arguments()
    contenders = chosen(options)
    if options.list:
        for one in contenders:
            print(f"{one.name:28} {one.group:11} {one.note}")
        return
    # So that servers are stopped and folders removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    python = os.path.join(options.venv, "bin/python")
    data = {"baseline": options.baseline, "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
            "machine": procfs.machine(options.httpd, python), "rounds": options.rounds,
            "duration": options.duration,
            "contenders": {}, "skipped": {}}
    for one in contenders:
        missing = [path for path in one.needs if not os.path.exists(path)]
        if missing:
            data["skipped"][one.name] = os.path.basename(missing[0]) + " is not installed"
    ready = [one for one in contenders if one.name not in data["skipped"]]
    load = Load(options)
    try:
        rounds(ready, options, load, data)
    finally:
        load.close()
    report.summarise(data["contenders"], options.baseline)
    text = report.markdown(data)
    print(text)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(data, file, indent=1)
    here = os.path.dirname(os.path.abspath(__file__))
    if options.results:
        options.md, options.svg = os.path.join(here, "RESULTS.md"), os.path.join(here, "RESULTS.svg")
        text = report.page(data, text)
    for path, content in ((options.md, text), (options.svg, chart.svg(data))):
        if path:
            with open(path, "w") as file:
                file.write(content)


if __name__ == "__main__":
    main()
