"""Requests that take their time, one route each; and what outlives them."""

import atexit
import os
import threading
import time

PLAIN = [("Content-Type", "text/plain")]


def _note(environ, name, text="x"):
    with open(os.path.join(environ["TEST_OUT"], name), "a") as note:
        note.write(text)


def _is_open(environ, gate):
    return os.path.exists(os.path.join(environ["TEST_OUT"], gate))


def pid(environ):
    return os.getpid()


def thread(environ):
    return environ["mod_wsgi.thread_id"]


def busy(environ):
    """Runs bytecode until its gate opens: can be interrupted."""
    gate = environ["QUERY_STRING"] or "gate"
    _note(environ, f"in-{gate}")
    while not _is_open(environ, gate):
        for _ in range(1000):
            pass
    return "let through"


def blocked(environ):
    """Waits where no exception reaches it, until its gate opens."""
    gate = environ["QUERY_STRING"] or "gate"
    _note(environ, f"in-{gate}")
    lock = threading.Lock()
    lock.acquire()

    def release():
        while not _is_open(environ, gate):
            time.sleep(0.01)
        lock.release()

    threading.Thread(target=release, daemon=True).start()
    lock.acquire()
    return "let through"


def holds_the_interpreter(environ):
    """Waits in C without releasing the interpreter lock."""
    import ctypes

    ctypes.PyDLL(None).sleep(60)


def computes(environ):
    """Three seconds without a call that releases the interpreter lock."""
    end = time.monotonic() + 3
    count = 0
    while time.monotonic() < end:
        count += 1
    return f"computed {count > 0}"


def crash(environ):
    import ctypes

    ctypes.string_at(0)


def overflow(environ):
    """Exhausts the stack of C."""
    import sys

    sys.setrecursionlimit(10**9)
    nested = []
    for _ in range(10**6):
        nested = [nested]
    return repr(nested)


def note_at_exit(environ):
    out = environ["TEST_OUT"]
    atexit.register(lambda: _note({"TEST_OUT": out}, "at-exit"))
    return os.getpid()


def hang_at_exit(environ):
    def hang():
        _note(environ, "at-exit")
        time.sleep(60)

    atexit.register(hang)
    return os.getpid()


def hang_in_c(environ):
    """Has the process hang at its end, when nobody asks Python any more."""
    import ctypes

    library = ctypes.CDLL(None)
    library.__cxa_atexit(ctypes.cast(library.pause, ctypes.c_void_p), None, None)
    return os.getpid()


def endless_thread(environ):
    threading.Thread(target=lambda: time.sleep(60)).start()
    return os.getpid()


def stream(environ, start_response):
    """A block, and nothing after it."""
    start_response("200 OK", PLAIN)
    yield b"first"
    while True:
        pass


def application(environ, start_response):
    if environ["PATH_INFO"] == "/stream":
        return stream(environ, start_response)
    text = str(globals()[environ["PATH_INFO"].strip("/")](environ)).encode()
    start_response("200 OK", PLAIN)
    return [text]
