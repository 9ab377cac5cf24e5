"""Reads the request body in the ways applications do, one route each."""

import hashlib
import os
import time
from wsgiref.validate import validator


def _answer(start_response, text):
    body = text.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@validator
def digest(environ, start_response):
    """SHA-256 and length of the body, read in blocks."""
    hashed, length = hashlib.sha256(), 0
    stream = environ["wsgi.input"]
    while block := stream.read(65536):
        hashed.update(block)
        length += len(block)
    return _answer(start_response, f"{length} {hashed.hexdigest()}")


@validator
def lines(environ, start_response):
    """The lines of the body."""
    return _answer(start_response, "|".join(line.decode() for line in environ["wsgi.input"]))


@validator
def echo(environ, start_response):
    """The body comes back, each block as soon as it was read."""
    stream = environ["wsgi.input"]
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    while block := stream.read(8192):
        yield block


def large_first(environ, start_response):
    """Sends so many blocks of so many bytes before it reads, and then what it has read."""
    size, count = map(int, environ["QUERY_STRING"].split(","))
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    block = b"x" * size
    for _ in range(count):
        yield block
    hashed, length = hashlib.sha256(), 0
    while block := environ["wsgi.input"].read(65536):
        hashed.update(block)
        length += len(block)
    yield f"{length} {hashed.hexdigest()}".encode()


def unread(environ, start_response):
    """Answers without reading."""
    return _answer(start_response, "unread")


def first(environ, start_response):
    """Reads four bytes, and says which."""
    return _answer(start_response, ascii(environ["wsgi.input"].read(4)))


def broken(environ, start_response):
    """Records the exceptions of two reads of a body that does not arrive whole."""
    found = []
    for _ in range(2):
        try:
            found.append(ascii(environ["wsgi.input"].read()))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    with open(os.path.join(environ["TEST_OUT"], "broken.tmp"), "w") as record:
        record.write("\n".join(found))
    os.rename(record.name, os.path.join(environ["TEST_OUT"], "broken"))
    return _answer(start_response, "\n".join(found))


_leaked = {}


def leak(environ, start_response):
    """Keeps what belongs to the request."""
    _leaked.update(stream=environ["wsgi.input"], errors=environ["wsgi.errors"], sr=start_response)
    _leaked["write"] = start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"kept"]


def use_leaked(environ, start_response):
    """Uses it in a later request."""
    calls = {
        "read": lambda: _leaked["stream"].read(),
        "readline": lambda: _leaked["stream"].readline(),
        "readlines": lambda: _leaked["stream"].readlines(),
        "iterate": lambda: next(iter(_leaked["stream"])),
        "errors": lambda: _leaked["errors"].write("late\n"),
        "start_response": lambda: _leaked["sr"]("200 OK", []),
        "write": lambda: _leaked["write"](b"late"),
    }
    found = []
    for name, call in calls.items():
        try:
            call()
            found.append(f"{name} no error")
        except Exception as error:
            found.append(f"{name} {type(error).__name__}: {error}")
    return _answer(start_response, "\n".join(found))


def wait(environ, start_response):
    """Starts the answer only when the gate is open, without reading the body."""
    gate = os.path.join(environ["TEST_OUT"], "gate")
    while not os.path.exists(gate):
        time.sleep(0.005)
    return _answer(start_response, "waited")


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    # The validator wants PATH_INFO and SCRIPT_NAME untouched, which they are.
    return globals()[name](environ, start_response)
