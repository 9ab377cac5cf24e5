"""Makes requests of several kinds, and tells what `mod_wsgi` counts of them."""

import gc as garbage
import json
import os
import threading
import time

import mod_wsgi


def _answer(start_response, value, status="200 OK"):
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json")])
    return [body]


def start(environ, start_response):
    return _answer(start_response, mod_wsgi.start_recording_metrics())


def interval(environ, start_response):
    return _answer(start_response, mod_wsgi.request_metrics())


def process(environ, start_response):
    return _answer(start_response, mod_wsgi.process_metrics())


def server(environ, start_response):
    return _answer(start_response, mod_wsgi.server_metrics())


def in_thread(environ, start_response):
    """The type of what a function of the module returns to a thread that serves no request."""
    found = []
    function = getattr(mod_wsgi, environ["QUERY_STRING"])
    thread = threading.Thread(target=lambda: found.append(type(function()).__name__))
    thread.start()
    thread.join()
    return _answer(start_response, found[0])


def read(environ, start_response):
    """Reads the body, answers with as much in blocks of 1000 bytes."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return (body[at : at + 1000] for at in range(0, len(body), 1000))


def nap(environ, start_response):
    """Sleeps for so many milliseconds."""
    time.sleep(int(environ["QUERY_STRING"]) / 1000)
    return _answer(start_response, os.getpid())


def spin(environ, start_response):
    """Uses so many milliseconds of CPU time."""
    end = time.thread_time() + int(environ["QUERY_STRING"]) / 1000
    while time.thread_time() < end:
        pass
    return _answer(start_response, os.getpid())


def wait(environ, start_response):
    """Waits for a file `gate`, having left a note `waiting`."""
    with open(os.path.join(environ["TEST_OUT"], "waiting"), "w"):
        pass
    while not os.path.exists(os.path.join(environ["TEST_OUT"], "gate")):
        time.sleep(0.005)
    return _answer(start_response, os.getpid())


def gc(environ, start_response):
    """Collects garbage."""
    return _answer(start_response, garbage.collect())


def fork(environ, start_response):
    """Has a copy of the process collect garbage and end."""
    copy = os.fork()
    if copy == 0:
        garbage.collect()
        os._exit(0)
    return _answer(start_response, os.waitpid(copy, 0)[1])


def status(environ, start_response):
    return _answer(start_response, None, environ["QUERY_STRING"] + " Reason")


def fail(environ, start_response):
    raise RuntimeError("on purpose")


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
