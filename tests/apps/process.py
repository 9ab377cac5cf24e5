"""Tells about the process that serves, and waits in it, one route each."""

import json
import os
import resource
import sys
import threading
import time

PLAIN = [("Content-Type", "text/plain")]
_barrier = threading.Barrier(4)


def _answer(start_response, text):
    start_response("200 OK", PLAIN)
    return [str(text).encode()]


def pid(environ, start_response):
    return _answer(start_response, os.getpid())


def facts(environ, start_response):
    mask = os.umask(0)
    os.umask(mask)
    lines = {
        "uid": os.geteuid(),
        "ruid": os.getuid(),
        "gid": os.getegid(),
        "groups": sorted(os.getgroups()),
        "umask": oct(mask),
        "cwd": os.getcwd(),
        "path0": sys.path[0],
        "LANG": os.environ.get("LANG"),
        "LC_ALL": os.environ.get("LC_ALL"),
        "HOME": os.environ.get("HOME"),
        "names": sorted(os.environ),
        "prefix": sys.prefix,
        "executable": sys.executable,
        "fs": sys.getfilesystemencoding(),
    }
    return _answer(start_response, "\n".join(f"{key}={json.dumps(v)}" for key, v in lines.items()))


def wait(environ, start_response):
    """Waits for a gate, having left a note that it is there; both named by the query."""
    name = environ["QUERY_STRING"] or "gate"
    with open(os.path.join(environ["TEST_OUT"], f"in-{name}"), "a") as note:
        note.write("x")
    while not os.path.exists(os.path.join(environ["TEST_OUT"], name)):
        time.sleep(0.005)
    return _answer(start_response, f"waited in {os.getpid()}")


def sockets(environ, start_response):
    """The sockets this process has open."""
    names = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    links = (os.readlink(name) for name in names if os.path.lexists(name))
    return _answer(start_response, " ".join(sorted(x for x in links if x.startswith("socket"))))


def nap(environ, start_response):
    """Sleeps for so many milliseconds."""
    time.sleep(int(environ["QUERY_STRING"]) / 1000)
    return _answer(start_response, os.getpid())


def exhaust(environ, start_response):
    """Leaves this process no descriptor from now on."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    threading.Thread(target=_take_all, daemon=True).start()
    return _answer(start_response, os.getpid())


def _take_all():
    while True:
        try:
            os.open("/dev/null", os.O_RDONLY)
        except OSError:
            time.sleep(0.0005)


def thread(environ, start_response):
    return _answer(start_response, threading.get_native_id())


def together(environ, start_response):
    """Answers only when four threads are in here at the same time."""
    return _answer(start_response, f"together {_barrier.wait(20) >= 0}")


def stream(environ, start_response):
    """A block, a gate, another block."""
    start_response("200 OK", PLAIN)
    yield b"first"
    while not os.path.exists(os.path.join(environ["TEST_OUT"], "gate")):
        time.sleep(0.005)
    yield b"second"


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
