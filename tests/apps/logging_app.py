"""Writes to wsgi.errors, sys.stderr, sys.stdout and logging, one route each."""

import logging
import os
import sys
import threading

logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")


def _answer(start_response, text="logged"):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def errors(environ, start_response):
    environ["wsgi.errors"].write("line to wsgi.errors\n")
    return _answer(start_response)


def partial(environ, start_response):
    """A line in parts is one record; what is left at the end of the request is one too."""
    stream = environ["wsgi.errors"]
    stream.write("part one, ")
    stream.write("part two\n")
    stream.write("unfinished")
    return _answer(start_response)


def several(environ, start_response):
    environ["wsgi.errors"].writelines(["first of three\nsecond of three\n", "third of three\n"])
    environ["wsgi.errors"].flush()
    return _answer(start_response)


def stderr(environ, start_response):
    print("line to stderr", file=sys.stderr)
    return _answer(start_response)


def stdout(environ, start_response):
    print("line to stdout")
    return _answer(start_response)


def logger(environ, start_response):
    logging.getLogger("suite").error("line of logging")
    return _answer(start_response)


def hostile(environ, start_response):
    environ["wsgi.errors"].write("caf\u00e9 \x1b[31mred\x07 end\n")
    return _answer(start_response)


def long_line(environ, start_response):
    environ["wsgi.errors"].write("begin " + "x" * 20_000 + " end\n")
    return _answer(start_response)


def percent(environ, start_response):
    environ["wsgi.errors"].write("100%s of %n %d\n")
    return _answer(start_response)


def other_thread(environ, start_response):
    """A thread that serves no request logs to the server's log."""
    thread = threading.Thread(target=lambda: print("line of a thread", file=sys.stderr))
    thread.start()
    thread.join()
    return _answer(start_response)


def describe(environ, start_response):
    stream = environ["wsgi.errors"]
    lines = [
        f"{type(stream).__module__}.{type(stream).__name__}",
        stream.name,
        str(stream.isatty()),
        stream.encoding,
        stream.errors,
        sys.stderr.name,
        sys.stdout.name,
        type(sys.stderr).__name__,
    ]
    try:
        stream.fileno()
    except OSError as error:
        lines.append(f"OSError {error}")
    return _answer(start_response, "\n".join(lines))


def buffer(environ, start_response):
    environ["wsgi.errors"].buffer.write(b"bytes to the buffer\n")
    return _answer(start_response)


def descriptor(environ, start_response):
    """What C code writes to descriptor 2."""
    os.write(2, b"written to descriptor 2\n")
    return _answer(start_response)


def restricted(environ, start_response):
    found = []
    for name in ("stdin", "stdout"):
        try:
            getattr(sys, name).read
            found.append(f"{name} free")
        except OSError as error:
            found.append(f"OSError {error}")
    return _answer(start_response, "\n".join(found))


def signals(environ, start_response):
    import signal

    handler = lambda *_: None  # noqa: E731
    before = signal.getsignal(signal.SIGUSR2)
    given = signal.signal(signal.SIGUSR2, handler)
    after = signal.getsignal(signal.SIGUSR2)
    return _answer(start_response, f"{given is handler} {before is after}")


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
