"""Statuses and headers: the query has a status and a Python list of headers, or a route is named."""

import sys
from urllib.parse import unquote

PLAIN = ("Content-Type", "text/plain")


def twice(environ, start_response):
    start_response("200 OK", [PLAIN, ("X-First", "yes")])
    start_response("202 Accepted", [PLAIN, ("X-Second", "yes")])
    return [b"twice"]


def replaced(environ, start_response):
    start_response("200 OK", [PLAIN, ("X-First", "yes")])
    try:
        raise ValueError("handled")
    except ValueError as error:
        start_response("503 Service Unavailable", [PLAIN], sys.exc_info())
        return [f"{type(error).__name__} handled".encode()]


def raised_again(environ, start_response):
    start_response("200 OK", [PLAIN])
    yield b"before"
    try:
        raise ValueError("given to start_response")
    except ValueError:
        start_response("500 Internal Server Error", [PLAIN], sys.exc_info())
    yield b"never"


def late(environ, start_response):
    start_response("200 OK", [PLAIN])
    yield b"before "
    try:
        start_response("404 Not Found", [PLAIN])
    except Exception as error:
        yield f"{type(error).__name__}: {error}".encode()


def mutated(environ, start_response):
    headers = [PLAIN, ("X-Early", "kept")]
    start_response("200 OK", headers)
    headers.append(("X-Late", "added"))
    del headers[1]
    return [b"mutated"]


def application(environ, start_response):
    route = globals().get(environ["PATH_INFO"].strip("/"))
    if route is not None:
        return route(environ, start_response)
    status, headers = map(unquote, environ["QUERY_STRING"].split("&", 1))
    headers = eval(headers)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(PLAIN)
    start_response(status, headers)
    return [b"body"]
