"""The application of all workloads: one function each, found by one look-up."""
import json
import os
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HELLO = b"Hello World!\n"
BODY_100K = b"x" * 102400
CHUNK_64K = b"y" * 65536
BLOB = os.path.join(HERE, "file2m6")
HELLO_HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "13")]


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


def env(environ, start_response):
    # what a framework does with a request: looks at cookies and some headers
    n = 0
    for key in environ:
        if key.startswith("HTTP_"):
            n += 1
    body = b"%-12d\n" % n
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13"),
                              ("Cache-Control", "no-cache"), ("Vary", "Cookie"),
                              ("Set-Cookie", "sid=0123456789abcdef; Path=/; HttpOnly")])
    return [body]


def body100k(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "102400")])
    return [BODY_100K]


def stream10m(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"),
                              ("Content-Length", str(65536 * 160))])
    return (CHUNK_64K for _ in range(160))


def file2m6(environ, start_response):
    f = open(BLOB, "rb")
    size = os.fstat(f.fileno()).st_size
    start_response("200 OK", [("Content-Type", "application/octet-stream"),
                              ("Content-Length", str(size))])
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is not None:
        return wrapper(f, 65536)
    return iter(lambda: f.read(65536), b"")


def post(environ, start_response):
    # read(): the whole body at once; with a length where a server's read() has no
    # end of its own (the reference server)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ.get("SERVER_SOFTWARE", "").startswith("WSGIServer"):
        data = environ["wsgi.input"].read(length)
    else:
        data = environ["wsgi.input"].read()
    body = b"%-12d\n" % len(data)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [body]


def postjson(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    obj = json.loads(environ["wsgi.input"].read(length))
    body = b"%-12d\n" % len(obj["items"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [body]


def sleep100(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


def flask(environ, start_response):
    global _flask
    if _flask is None:
        import bench_flask
        _flask = bench_flask.app
    return _flask(environ, start_response)


def django(environ, start_response):
    global _django
    if _django is None:
        import bench_django
        _django = bench_django.application
    return _django(environ, start_response)


_flask = _django = None

ROUTES = {"/hello": hello, "/env": env, "/body100k": body100k, "/stream10m": stream10m,
          "/file2m6": file2m6, "/post": post, "/postjson": postjson, "/sleep100": sleep100,
          "/flask": flask, "/django": django}


def application(environ, start_response):
    handler = ROUTES.get(environ["PATH_INFO"])
    if handler is None:
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return [b""]
    return handler(environ, start_response)
