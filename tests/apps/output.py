"""Produces response bodies in the ways applications do, one route each.

`TEST_OUT` is a folder: routes leave a record there of what happened after the client went away,
and wait there for a file that the test makes (a gate).
"""

import os
import time
from wsgiref.validate import validator

PLAIN = [("Content-Type", "text/plain")]


def _note(environ, name, text):
    with open(os.path.join(environ["TEST_OUT"], name), "a") as record:
        record.write(text)


def _wait(environ, name):
    deadline = time.monotonic() + 30
    while not os.path.exists(os.path.join(environ["TEST_OUT"], name)):
        if time.monotonic() > deadline:
            raise TimeoutError(name)
        time.sleep(0.005)


class Body:
    """An iterable that counts calls of its close()."""

    def __init__(self, environ, blocks):
        self.environ, self.blocks = environ, blocks

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        _note(self.environ, "closed", "x")


@validator
def one_block(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return [b"one block"]


@validator
def one_block_tuple(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return (b"one block",)


def bare_block(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return [b"one block"]


def bare_tuple(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return (b"one block",)


def bare_status(environ, start_response):
    """A one-block list with the status of the query."""
    start_response(environ["QUERY_STRING"].replace("+", " "), [])
    return [b"text"]


@validator
def generator(environ, start_response):
    start_response("200 OK", list(PLAIN))
    for block in (b"one ", b"two ", b"three"):
        yield block


@validator
def late_start(environ, start_response):
    """start_response is called when the first block is asked for."""
    start_response("200 OK", list(PLAIN))
    yield b"late"


@validator
def empty(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return []


@validator
def no_content_type(environ, start_response):
    start_response("204 No Content", [])
    return []


def empty_blocks(environ, start_response):
    """Empty blocks do not commit the headers: they can still be replaced."""
    start_response("200 OK", [("X-Which", "first")])
    yield b""
    yield b""
    start_response("201 Created", [("X-Which", "second"), ("Content-Type", "text/plain")])
    yield b"body"
    yield b""


@validator
def write(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    write(b"written ")
    write(b"twice ")
    return [b"and returned"]


def write_empty(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    write(b"")
    return [b"after an empty write"]


def write_str(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    try:
        write("text")
    except TypeError as error:
        return [f"{error}".encode()]


def closed(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Body(environ, [b"body"])


def closed_after_error(environ, start_response):
    def blocks():
        yield b"body"
        raise ValueError("iteration fails")

    start_response("200 OK", list(PLAIN))
    return Body(environ, blocks())


def closed_before_output(environ, start_response):
    def blocks():
        raise ValueError("iteration fails at once")
        yield b""

    start_response("200 OK", list(PLAIN))
    return Body(environ, blocks())


def close_fails(environ, start_response):
    class Failing(Body):
        def close(self):
            super().close()
            raise ValueError("close fails")

    start_response("200 OK", list(PLAIN) + [("Content-Length", "4")])
    return Failing(environ, [b"body"])


def close_lookup_fails(environ, start_response):
    class Failing:
        def __iter__(self):
            return iter([b"body"])

        def __getattr__(self, name):
            raise ValueError(f"no {name} here")

    start_response("200 OK", list(PLAIN))
    return Failing()


def aborted(environ, start_response):
    """Yields until the client is gone; close() is still called."""

    def blocks():
        try:
            for _ in range(200_000):
                yield b"x" * 65536
        finally:
            _note(environ, "ended", "x")

    start_response("200 OK", list(PLAIN))
    return Body(environ, blocks())


def aborted_write(environ, start_response):
    """Writes until write() says that the client is gone."""
    write = start_response("200 OK", list(PLAIN))
    try:
        for _ in range(200_000):
            write(b"x" * 65536)
    except OSError as error:
        _note(environ, "write_error", f"{type(error).__name__}: {error}")
    return []


def gone_before(environ, start_response):
    """The client goes before the first byte."""
    _note(environ, "entered", "x")
    _wait(environ, "gate")
    start_response("200 OK", list(PLAIN))
    return Body(environ, [b"x" * 1_000_000] * 40)


def short(environ, start_response):
    """Less than announced."""
    start_response("200 OK", list(PLAIN) + [("Content-Length", "10")])
    return [b"12345"]


def long(environ, start_response):
    """More than announced."""
    start_response("200 OK", list(PLAIN) + [("Content-Length", "5")])
    return [b"123", b"456", b"789"]


def bad_length(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("Content-Length", "five")])
    return [b"12345"]


def gated(environ, start_response):
    """A block, a pause until the test has seen it, another block."""
    start_response("200 OK", list(PLAIN))
    yield b"first"
    _wait(environ, "gate")
    yield b"second"
    _wait(environ, "gate2")
    yield b"third"


def gated_write(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    write(b"first")
    _wait(environ, "gate")
    write(b"second")
    return []


def many_small(environ, start_response):
    """Ten thousand blocks without a pause."""
    start_response("200 OK", list(PLAIN))
    for number in range(10_000):
        yield b"%06d\n" % number


def large(environ, start_response):
    """A body of the query's number of bytes, in one block."""
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", list(PLAIN) + [("Content-Length", str(size))])
    return [bytes(range(256)) * (size // 256) + bytes(size % 256)]


def large_blocks(environ, start_response):
    """A body of many blocks of 100,000 bytes."""
    start_response("200 OK", list(PLAIN))
    for _ in range(int(environ["QUERY_STRING"])):
        yield b"z" * 100_000


def threads(environ, start_response):
    """The thread of the call, of iteration and of close."""
    import threading

    ident = threading.get_ident()

    class Same:
        def __iter__(self):
            yield b"same" if threading.get_ident() == ident else b"other"

        def close(self):
            _note(environ, "close_thread", str(threading.get_ident() == ident))

    start_response("200 OK", list(PLAIN))
    return Same()


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
