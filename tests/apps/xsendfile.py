"""Names a file in X-Sendfile: the route says how the body goes, the query which file below TEST_ROOT."""

import os

BODY = b"the body that nobody sees"


def head(environ, more=()):
    path = environ["QUERY_STRING"]
    if not path.startswith("relative:"):
        path = os.path.join(environ["TEST_ROOT"], path)
    return [("X-Sendfile", path), ("Content-Type", "text/x-test"), *more]


def listed(environ, start_response):
    start_response("200 OK", head(environ, [("Content-Length", str(len(BODY)))]))
    return [BODY]


def empty(environ, start_response):
    start_response("200 OK", head(environ, [("Content-Length", "77")]))
    return []


def tagged(environ, start_response):
    start_response("200 OK", head(environ, [("ETag", '"v1"')]))
    return []


def generated(environ, start_response):
    start_response("200 OK", head(environ))
    yield BODY
    yield BODY


def written(environ, start_response):
    write = start_response("200 OK", head(environ))
    write(BODY)
    return [BODY]


def raises(environ, start_response):
    start_response("200 OK", head(environ))
    raise RuntimeError("before anything was sent")


def wrapped(environ, start_response):
    start_response("200 OK", [("ETag", '"v1"')])
    file = open(os.path.join(environ["TEST_ROOT"], environ["QUERY_STRING"]), "rb")
    return environ["wsgi.file_wrapper"](file)


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
