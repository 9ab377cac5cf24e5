"""What ends up in logs, one route each."""

import logging
import os
import sys
import time

import mod_wsgi

PLAIN = [("Content-Type", "text/plain")]

log = logging.getLogger("app")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(mod_wsgi.LogHandler())

OWN = '{"b": 1.0e5, "a": "\\u00e4\\"\\\\", "b": [ 2 ]}'


def fail(environ):
    raise ValueError("wanted")


def report(environ):
    """A traceback as logging writes it."""
    try:
        fail(environ)
    except ValueError:
        log.exception("caught")


def own(environ):
    """A line of JSON that the application has written."""
    print(OWN, file=environ["wsgi.errors"], flush=True)
    log.warning(OWN)


def several(environ):
    sys.stderr.write("one\ntwo\n")


def outside(environ):
    """Written by a thread that has no request."""
    import threading

    thread = threading.Thread(target=lambda: log.error("of a thread"))
    thread.start()
    thread.join()


def slow(environ):
    time.sleep(0.05)


def place(environ):
    return f"{os.getpid()} {environ['mod_wsgi.thread_id']} {environ['mod_wsgi.request_id']}"


def application(environ, start_response):
    body = globals()[environ["PATH_INFO"].strip("/")](environ) or "done"
    start_response("200 OK", PLAIN)
    return [body.encode()]
