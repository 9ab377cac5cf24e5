"""Counts its calls, in the interpreter and in the thread."""

import threading
from wsgiref.validate import validator

_local = threading.local()
_count = 0
_lock = threading.Lock()


def _answer(start_response, number):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(number).encode()]


@validator
def application(environ, start_response):
    global _count
    with _lock:
        _count += 1
        return _answer(start_response, _count)


@validator
def per_thread(environ, start_response):
    _local.count = getattr(_local, "count", 0) + 1
    return _answer(start_response, _local.count)
