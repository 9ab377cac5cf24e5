"""Requests that stay in a phase until a file opens their gate; anything may follow the route."""

import os
import time

PLAIN = [("Content-Type", "text/plain")]


def wait(environ):
    gate = os.path.join(environ["TEST_OUT"], "gate")
    while not os.path.exists(gate):
        time.sleep(0.01)


def blocked(environ):
    """Waits for the gate."""
    wait(environ)
    return b"let through"


def reading(environ):
    """Waits for its client."""
    return environ["wsgi.input"].read()


def pid(environ):
    return str(os.getpid()).encode()


def slow(environ):
    """Takes its time, and lets others run."""
    time.sleep(0.02)
    return b"slow"


def background(environ):
    """Starts a thread that outlives its request."""
    import threading

    def waits_in_the_background():
        wait(environ)

    threading.Thread(target=waits_in_the_background, daemon=True).start()
    return b"started"


def holds(environ):
    """Keeps the interpreter lock."""
    import ctypes

    sleep = ctypes.PyDLL(None).sleep
    with open(os.path.join(environ["TEST_OUT"], "in-holds"), "w") as note:
        note.write("x")
    sleep(60)


def application(environ, start_response):
    route = environ["PATH_INFO"].strip("/").split("/")[0]
    body = globals()[route](environ)
    start_response("200 OK", PLAIN)
    return [body]
