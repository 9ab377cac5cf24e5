#!/usr/bin/env python3
"""Fails when a request costs more than budget.toml allows: user instructions (callgrind) and
system calls (strace, without futex) of all processes, neither of which depends on how busy the
machine is. One keep-alive connection, one request after the other; the cost of starting and
ending falls out, because two runs of different length are compared.

A budget holds for one version of httpd, Python and the kernel. Where none is recorded the figures
are reported and nothing is judged; `--write` records them."""
import argparse
import contextlib
import glob
import http.client
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from contenders import Contender  # noqa: E402
from server import Server, add_options  # noqa: E402
from workloads import HELLO  # noqa: E402

BUDGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budget.toml")
SHORT, LONG = 200, 700
# Every thread sleeps again before the next request: how many calls that takes does not depend on
# how fast the client is.
PAUSE = 0.005
TOLERANCE = 1.05
FIGURES = ("instructions", "syscalls")
MODES = {
    "embedded": "",
    "daemon": "WSGIDaemonProcess bench processes=1 threads=3\nWSGIProcessGroup bench\n",
}
CONFIGURATION = """\
LoadModule wsgi_module @ROOT@/module/{module}
{mode}WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / @ROOT@/@SCRIPT@
"""


class Incomplete(Exception):
    """A process ended without its count: it was killed."""


class Observed(Server):
    """A server whose processes all run below a program that counts something."""

    def __init__(self, contender, options, observer):
        super().__init__(contender, options)
        self.observer = observer
        self.counts = os.path.join(self.root, "counts")
        os.mkdir(self.counts)
        # The module may lie where an ordinary user may not go.
        stage, module = os.path.split(os.path.abspath(options.ours))
        shutil.copytree(os.path.join(stage, module.removesuffix(".so")),
                        os.path.join(self.root, "module", module.removesuffix(".so")))
        shutil.copy(os.path.join(stage, module), os.path.join(self.root, "module"))
        os.chmod(self.root, 0o777)
        os.chmod(self.counts, 0o777)

    def _spawn(self, command):
        # One process that serves (-X), of an ordinary user: what counts must follow every exec.
        command = [*self.observer(self.counts), *command[:-1], "-X"]
        if os.geteuid() == 0:
            account = [f"--reuid={self.options.user}", f"--regid={self.options.group_name}"]
            command = ["setpriv", *account, "--clear-groups", *command]
            subprocess.run(["chown", "-R", self.options.user, self.root], check=True)
        super()._spawn(command)


def callgrind(folder):
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            "--trace-children=yes", f"--log-file={folder}/%p"]


def strace(folder):
    # Not futex: whether a thread has to wait for a lock is a matter of chance.
    return ["strace", "-f", "-e", "trace=!futex", "-c", "-U", "calls,name",
            "-o", f"{folder}/calls"]


def instructions(folder):
    """The sum over all processes, from callgrind's logs."""
    collected = 0
    for name in glob.glob(f"{folder}/*"):
        with open(name) as file:
            found = re.search(r"Collected : (\d+)", file.read())
        if not found:
            raise Incomplete
        collected += int(found[1])
    return collected


def calls(folder):
    """The last line of strace's table, the total."""
    with open(f"{folder}/calls") as file:
        return int(file.read().split()[-2])


def spent(*how):
    """What a server has spent on its life."""
    for _ in range(3):
        with contextlib.suppress(Incomplete):
            return life(*how)
    raise SystemExit("gate: processes end without their counts")


def life(contender, options, observer, count, requests, pause):
    """A server's life with so many requests, `pause` seconds apart; what it has spent on it."""
    server = Observed(contender, options, observer)
    try:
        server.start(seconds=120)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for _ in range(requests):
            time.sleep(pause)
            connection.request("GET", "/hello")
            answer = connection.getresponse()
            body = answer.read()
            if (answer.status, body) != (200, HELLO):
                raise SystemExit(f"gate: status {answer.status}: {server.log_tail()}")
        connection.close()
        # The parent first: what it started ends with it, and is counted when it has.
        observed = next(pid for pid in server.pids() if is_httpd(pid, options.httpd))
        os.kill(observed, 15)
        server.processes[0].wait(60)
        return count(server.counts)
    finally:
        server.stop()


def is_httpd(pid, program):
    """Whether the process is httpd itself; below valgrind it looks like valgrind."""
    with open(f"/proc/{pid}/cmdline") as file:
        words = file.read().split("\0")
    return program in words and words[0].rsplit("/", 1)[-1] not in ("strace", "setpriv")


def measure(options, mode):
    module = os.path.basename(options.ours)
    httpd = CONFIGURATION.format(module=module, mode=MODES[mode])
    contender = Contender(mode, "wsgi", httpd=httpd)

    def difference(observer, count, pause):
        short, long = (spent(contender, options, observer, count, requests, pause)
                       for requests in (SHORT, LONG))
        return round((long - short) / (LONG - SHORT), 1)

    # A thread that httpd ends meanwhile adds some calls, and a request that a busy machine makes look
    # long has a daemon's threads take turns for a while: not every time.
    return {"instructions": difference(callgrind, instructions, 0),
            "syscalls": min(difference(strace, calls, PAUSE) for _ in range(3))}


def place(options):
    """What figures depend on besides our code."""
    version = subprocess.run([options.httpd, "-v"], capture_output=True, text=True, check=True)
    found = re.search(r"Apache/([\d.]+)", version.stdout)
    return {"httpd": found[1], "python": platform.python_version(),
            "kernel": ".".join(platform.release().split(".")[:2]), "machine": platform.machine()}


def recorded(here):
    """The budget for this place, if there is one."""
    with open(BUDGET, "rb") as file:
        budgets = tomllib.load(file).get("budget", [])
    return next((one for one in budgets if all(one[key] == here[key] for key in here)), None)


def record(here, figures):
    """Writes the budget of this place anew, beside those of others."""
    with open(BUDGET, "rb") as file:
        budgets = [one for one in tomllib.load(file).get("budget", [])
                   if any(one[key] != here[key] for key in here)]
    lines = ["# Cost of one request (hello, keep-alive) as `cargo xtask bench --gate` measures it;",
             "# `cargo xtask bench --gate --write` records what this machine has."]
    for one in [*budgets, {**here, **figures}]:
        lines += ["", "[[budget]]", *(f'{key} = "{one[key]}"' for key in here)]
        lines += [f"{mode} = {{ " + ", ".join(f"{name} = {one[mode][name]}" for name in FIGURES)
                  + " }" for mode in MODES]
    with open(BUDGET, "w") as file:
        file.write("\n".join(lines) + "\n")


def judge(figures, budget):
    """Prints the table; whether everything is within its budget."""
    is_good = True
    for mode, one in figures.items():
        for name in FIGURES:
            limit = budget and budget[mode][name]
            is_within = not limit or one[name] <= limit * TOLERANCE
            is_good &= is_within
            verdict = "no budget here" if not limit else "ok" if is_within else "TOO MUCH"
            print(f"gate: {mode:9} {name:13} {one[name]:10} a request, "
                  f"budget {limit or '-':>8}  {verdict}")
    return is_good


def works(tool):
    """Whether a tool is there and may do its work (strace needs the right to trace)."""
    try:
        return subprocess.run([tool, "/bin/true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="our module")
    add_options(parser)
    parser.add_argument("--write", action="store_true", help="record the figures as the budget")
    options = parser.parse_args()
    useless = [tool for tool in ("valgrind", "strace", "setpriv") if not works(tool)]
    if useless:
        print(f"gate: skipped, does not run here: {', '.join(useless)}")
        return 0
    here = place(options)
    figures = {mode: measure(options, mode) for mode in MODES}
    if options.write:
        record(here, figures)
    return 0 if judge(figures, recorded(here)) else 1


if __name__ == "__main__":
    sys.exit(main())
