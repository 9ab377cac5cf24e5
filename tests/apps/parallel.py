"""Computes: `/burn?SECONDS` uses so much processor time, in bytecode, and `/digest?SECONDS`
without the interpreter lock; `/hold?SECONDS` holds the lock for about so long in one call of C
code, and tells when; `/free` tells the time.
"""

import time


def _burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))
    return "burned"


def _digest(seconds):
    import hashlib

    data = b"x" * (1 << 20)
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        hashlib.sha256(data)
    return "digested"


def _hold(seconds):
    count, took = 1 << 16, 0.0
    while took < 0.02:
        count *= 2
        start = time.thread_time()
        sum(range(count))
        took = time.thread_time() - start
    count = int(count * seconds / took)
    # Nothing in this call looks whether somebody waits for the lock.
    start = time.monotonic()
    sum(range(count))
    return f"{start} {time.monotonic()}"


def application(environ, start_response):
    path, argument = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/burn":
        answer = _burn(float(argument))
    elif path == "/digest":
        answer = _digest(float(argument))
    elif path == "/hold":
        answer = _hold(float(argument))
    else:
        answer = str(time.monotonic())
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer.encode()]
