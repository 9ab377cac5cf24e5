"""Applications that break the rules or fail, one route each."""

import os
import signal
import sys

PLAIN = [("Content-Type", "text/plain")]


def fine(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"fine"]


def raises(environ, start_response):
    raise KeyError("raised by the application")


def raises_chained(environ, start_response):
    try:
        raise KeyError("the cause")
    except KeyError as cause:
        raise ValueError("the effect") from cause


def raises_unicode(environ, start_response):
    raise ValueError("caf\u00e9 \u2603 \x1b[31m line\nbreak")


def raises_after_start(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("after start_response")


def keyboard_interrupt(environ, start_response):
    raise KeyboardInterrupt("from the application")


def base_exception(environ, start_response):
    class Own(BaseException):
        pass

    raise Own("a base exception")


def system_exit(environ, start_response):
    sys.exit(3)


def system_exit_in_iteration(environ, start_response):
    start_response("200 OK", PLAIN)
    sys.exit("leaving")
    yield b""


def returns_str(environ, start_response):
    start_response("200 OK", PLAIN)
    return "text"


def returns_list_of_str(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text"]


def returns_none(environ, start_response):
    start_response("200 OK", PLAIN)


def returns_int(environ, start_response):
    start_response("200 OK", PLAIN)
    return 42


def yields_none(environ, start_response):
    start_response("200 OK", PLAIN)
    yield None


def no_start_response(environ, start_response):
    return [b"body"]


def no_start_response_no_body(environ, start_response):
    return []


def bad_status(environ, start_response):
    start_response("OK 200", PLAIN)
    return [b"body"]


def bad_headers(environ, start_response):
    start_response("200 OK", [("X-Number", 1)])
    return [b"body"]


def split_header(environ, start_response):
    start_response("200 OK", [("X-Split", "a\r\nSet-Cookie: evil=1")])
    return [b"body"]


def raises_before_block(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("before the first block")
    yield b""


def raises_after_block(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"block"
    raise ValueError("after the first block")


def exits(environ, start_response):
    os._exit(7)


def crashes(environ, start_response):
    os.kill(os.getpid(), signal.SIGSEGV)
    signal.pause()


def aborts(environ, start_response):
    os.abort()


def exits_in_body(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"x" * 100_000
    os._exit(7)


def recursion(environ, start_response):
    return recursion(environ, start_response)


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
