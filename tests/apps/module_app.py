"""Uses the module mod_wsgi: one route each."""

import json
import threading

import mod_wsgi

# What a request finds that has this file loaded.
LOADING = [dict(mod_wsgi.request_data()), list(mod_wsgi.active_requests)]


def answer(start_response, value):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


def failure(call, *arguments):
    try:
        return repr(call(*arguments))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def loading(environ, start_response):
    return answer(start_response, LOADING)


def data(environ, start_response):
    """The dictionary of this request is the same wherever it is asked for."""
    own = mod_wsgi.request_data()
    own["note"] = 1
    found = mod_wsgi.active_requests[environ["mod_wsgi.request_id"]]
    return answer(start_response, [found is own, mod_wsgi.request_data() is own, own])


def active(environ, start_response):
    """Requests in progress: this one, and none that has ended."""
    is_own = list(mod_wsgi.active_requests) == [environ["mod_wsgi.request_id"]]
    return answer(start_response, [is_own, mod_wsgi.request_data()])


def other_thread(environ, start_response):
    found = []
    thread = threading.Thread(target=lambda: found.append(failure(mod_wsgi.request_data)))
    thread.start()
    thread.join()
    return answer(start_response, found)


def removed(environ, start_response):
    """An application may empty the dictionary."""
    mod_wsgi.active_requests.clear()
    return answer(start_response, mod_wsgi.request_data())


def subscribe(environ, start_response):
    """Each function gives the callback back and keeps it."""
    results = []
    for topic in ("events", "shutdown", "signals"):
        callback = lambda name, **event: None  # noqa: E731
        function = getattr(mod_wsgi, "subscribe_" + topic)
        kept = getattr(mod_wsgi, {"events": "event"}.get(topic, topic.rstrip("s")) + "_callbacks")
        before = len(kept)
        results.append([function(callback) is callback, len(kept) - before])
        del kept[before:]
    return answer(start_response, results)


def refused(environ, start_response):
    functions = (mod_wsgi.request_data, mod_wsgi.subscribe_events, mod_wsgi.subscribe_shutdown)
    results = [failure(functions[0], 1), failure(functions[1]), failure(functions[2], 1, 2)]
    return answer(start_response, [result.split(":")[0] for result in results])


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
