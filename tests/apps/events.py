"""Subscribes to every event; one route each. What was heard is at /heard, or in files of out/."""

import json
import os
import time

import mod_wsgi

heard = []


def note(name, text):
    """Adds a line to a file of out/, which a process knows once it had a request."""
    if not OUT:
        return
    with open(os.path.join(OUT, name), "a") as file:
        file.write(text + "\n")


OUT = ""


@mod_wsgi.subscribe_events
def everything(name, **event):
    global OUT
    if name.startswith("process_"):
        note("process", f"everything {name} {sorted(event.items())}")
        if name == "process_stopping" and OUT and os.path.exists(os.path.join(OUT, "hang")):
            note("hanging", "yes")
            time.sleep(600)
        return {"merged": True}
    heard.append((name, event))
    if name == "request_started":
        environ = event["request_environ"]
        OUT = environ["TEST_OUT"]
        event["request_data"]["seen"] = environ["PATH_INFO"]
        if environ["PATH_INFO"] == "/replaced":
            return {"application_object": replacement, "merged": name}
        if environ["PATH_INFO"] == "/slow_callback":
            while True:
                time.sleep(0.01)
    return {"merged": name}


@mod_wsgi.subscribe_events
def second(name, **event):
    """Sees what the first one has added; raises where it is asked to."""
    if name.startswith("request_started"):
        query = event["request_environ"]["QUERY_STRING"]
        event["request_data"]["merged"] = event["merged"]
        if query == "raise":
            raise KeyError("of a callback")
        if query == "exit":
            raise SystemExit(3)


@mod_wsgi.subscribe_events
def third(name, **event):
    if name == "request_started":
        event["request_data"]["third"] = True


@mod_wsgi.subscribe_shutdown
def shutdown(name, **event):
    note("process", f"shutdown {name} {sorted(event.items())}")


@mod_wsgi.subscribe_signals
def signals(name, **event):
    note("process", f"signals {name} {sorted(event.items())}")
    if os.path.exists(os.path.join(OUT, "block")):
        note("blocked", "yes")
        while not os.path.exists(os.path.join(OUT, "unblock")):
            time.sleep(0.01)
        note("unblocked", "yes")


def answer(start_response, value):
    body = json.dumps(value).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]


def replacement(environ, start_response):
    return answer(start_response, "replaced")


def read(environ, start_response):
    """Reads its input and answers with two blocks."""
    environ["wsgi.input"].read()
    start_response("202 Accepted", [("X-One", "1")])
    yield b"first"
    yield b"second"


def several(environ, start_response):
    """A list of two blocks."""
    start_response("200 OK", [])
    return [b"four", b"five!"]


def boom(environ, start_response):
    raise ValueError("of the application")


def late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise LookupError("handled")
    except LookupError:
        import sys

        start_response("503 Later", [], sys.exc_info())
    return [b"late"]


def invalid(environ, start_response):
    try:
        start_response("bad", [])
    except ValueError:
        pass
    return answer(start_response, "invalid")


def data(environ, start_response):
    return answer(start_response, mod_wsgi.request_data())


def shown(value):
    """A value of an event as JSON has it."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], type):
        return [value[0].__name__, str(value[1]), type(value[2]).__name__]
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return len(value)
    return getattr(value, "__name__", type(value).__name__)


def last(environ, start_response):
    """The events of the request before this one, the last of which is `request_finished`."""
    wanted = next(event["request_id"] for name, event in reversed(heard) if name == "request_finished")
    events = [(name, event) for name, event in heard if event["request_id"] == wanted]
    return answer(start_response, [[name, shown_event(event)] for name, event in events])


def shown_event(event):
    return {key: shown(value) for key, value in event.items()}


def times(environ, start_response):
    """Whether the times of the request before this one are in order."""
    event = next(event for name, event in reversed(heard) if name == "request_finished")
    start = next(e for n, e in heard if n == "request_started" and e["request_id"] == event["request_id"])
    order = [event["request_start"], event["queue_start"], event["daemon_start"]]
    order = [time for time in order if time] + [start["application_start"], event["application_finish"]]
    return answer(start_response, [
        order == sorted(order),
        len(order),
        abs(event["application_finish"] - start["application_start"] - event["application_time"]) < 1e-5,
        0 <= event["cpu_time"] <= 2 * event["application_time"] + 1e-6,
        event["gil_wait_count"] >= 1,
    ])


def ready(environ, start_response):
    return answer(start_response, os.getpid())


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
