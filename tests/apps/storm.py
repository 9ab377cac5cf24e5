"""What harms the process it runs in, one route each; and what is asked of it meanwhile."""

import ctypes
import os
import threading
import time

PLAIN = [("Content-Type", "text/plain")]
_held = []


def _note(environ, name):
    with open(os.path.join(environ["TEST_OUT"], name), "a") as note:
        note.write("x")


def pid(environ):
    return os.getpid()


def nap(environ):
    """Sleeps for so many milliseconds."""
    time.sleep(int(environ["QUERY_STRING"]) / 1000)
    return os.getpid()


def wait(environ):
    """Waits for a gate, having left a note that it is there; both named by the query."""
    name = environ["QUERY_STRING"] or "gate"
    _note(environ, f"in-{name}")
    while not os.path.exists(os.path.join(environ["TEST_OUT"], name)):
        time.sleep(0.005)
    return os.getpid()


def holds_descriptors(environ):
    """Opens files until there are no descriptors left, and takes every one that gets free."""

    def hoard():
        while True:
            try:
                _held.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                time.sleep(0.0002)

    threading.Thread(target=hoard, daemon=True).start()
    return os.getpid()


def closes_descriptors(environ):
    """What a careless attempt to become a daemon does."""
    os.closerange(0, 1024)
    return os.getpid()


def forks_and_returns(environ):
    """Both processes come back from here."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return os.getpid()


def leaks(environ):
    """Keeps so many megabytes, all of them used; takes a moment, as the work that leaks would."""
    time.sleep(0.02)
    _held.append(b"x" * (int(environ["QUERY_STRING"]) << 20))
    return os.getpid()


def endless_threads(environ):
    for _ in range(3):
        threading.Thread(target=lambda: time.sleep(60)).start()
    return os.getpid()


def blocks_in_c(environ):
    """Waits in C, the interpreter released, for ever."""
    _note(environ, "in-blocks_in_c")
    ctypes.CDLL(None).sleep(60)


def holds_the_interpreter(environ):
    _note(environ, "in-holds_the_interpreter")
    ctypes.PyDLL(None).sleep(60)


def ignores_the_timeout(environ):
    _note(environ, "in-ignores_the_timeout")
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            pass


def upload(environ):
    """Writes the body to a file of the folder named by the query."""
    path = os.path.join(environ["QUERY_STRING"], f"upload-{threading.get_ident()}")
    try:
        with open(path, "wb") as file:
            file.write(environ["wsgi.input"].read())
        return "written"
    except OSError as error:
        return error.strerror


def application(environ, start_response):
    text = str(globals()[environ["PATH_INFO"].strip("/")](environ)).encode()
    start_response("200 OK", PLAIN)
    return [text]
