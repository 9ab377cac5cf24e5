"""Logs through mod_wsgi.LogHandler, one route each."""

import logging
import threading

import mod_wsgi

log = logging.getLogger("app")
log.setLevel(1)
log.propagate = False


class Prefixed(mod_wsgi.LogHandler):
    """As applications make it: with a format of its own."""

    def __init__(self, level=0):
        super().__init__(level)
        self.setFormatter(logging.Formatter("handled %(message)s"))


handler = Prefixed()
log.addHandler(handler)


class Counted:
    """Counts how often it becomes text."""

    count = 0

    def __str__(self):
        Counted.count += 1
        return "counted"


def levels():
    for level in (60, 50, 45, 40, 30, 20, 15, 10, 5):
        log.log(level, "level %d", level)


def lines():
    log.error("first\nsecond\n\nlast\n")


def traceback():
    try:
        raise ValueError("reported")
    except ValueError:
        log.exception("failed")


def place():
    log.error("here")


def wrong():
    """A record that cannot be formatted."""
    log.error("%d", "no number")


def counted():
    log.info("%s", Counted())


def counted_in_thread():
    thread = threading.Thread(target=counted)
    thread.start()
    thread.join()


def thread():
    thread = threading.Thread(target=log.error, args=("of a thread",))
    thread.start()
    thread.join()


def by_hand():
    """A record that comes from nowhere."""
    handler.handle(logging.LogRecord("app", 40, None, None, "by hand", (), None))


def threshold():
    handler.setLevel("ERROR")
    log.warning("below")
    log.error("above")
    handler.setLevel(0)


def application(environ, start_response):
    globals()[environ["PATH_INFO"].strip("/")]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(Counted.count).encode()]
