"""The example application of `cargo xtask serve`: plain WSGI, standard library only.

One page shows where and how it was served; the others show streaming, uploads, downloads and
errors. Every handler takes the environ and `start_response` and returns the body, as PEP 3333
has it, so the file can be read as a first WSGI tutorial.
"""

import hashlib
import html
import os
import platform
import pwd
import string
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STARTED = time.time()

with open(os.path.join(HERE, "page.html"), encoding="utf-8") as file:
    PAGE = string.Template(file.read())


def application(environ, start_response):
    """Chooses the handler by path and method."""
    path = environ.get("PATH_INFO", "") or "/"
    methods, handler = ROUTES.get(path, (("GET",), not_found))
    method = environ["REQUEST_METHOD"]
    if method not in methods and not (method == "HEAD" and "GET" in methods):
        return text(start_response, "405 Method Not Allowed", f"{method} is not for {path}\n",
                    [("Allow", ", ".join(methods))])
    body = handler(environ, start_response)
    if method == "HEAD":
        if hasattr(body, "close"):
            body.close()
        return []
    return body


def text(start_response, status, words, headers=()):
    """A short plain text answer."""
    data = words.encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"),
                            ("Content-Length", str(len(data))), *headers])
    return [data]


def page(start_response, status, **parts):
    """The page with its parts filled in."""
    parts = {"notice": "", "served": "", "environ": "", "root": "", "host": "", **parts}
    data = PAGE.substitute(parts).encode()
    start_response(status, [("Content-Type", "text/html; charset=utf-8"),
                            ("Content-Length", str(len(data))), ("Cache-Control", "no-store")])
    return [data]


def rows(pairs):
    """Pairs as rows of a table."""
    return "\n".join(
        f"<tr><th scope=row>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in pairs)


def root(environ):
    """The URL path this application is mounted at, for links."""
    name = environ.get("SCRIPT_NAME", "").encode("latin-1").decode("utf-8", "replace")
    return html.escape(name, quote=True)


def served_by(environ):
    """What served this request, from the outside in."""
    group = environ.get("mod_wsgi.process_group")
    placement = f"daemon process of group “{group}”" if group else "inside a child of httpd"
    yield "Placement", placement if "mod_wsgi.version" in environ else "another WSGI server"
    yield "Server", environ.get("SERVER_SOFTWARE", "unknown")
    yield "Process", f"{os.getpid()} as user {user()}, {uptime()}"
    thread = threading.current_thread()
    yield "Thread", f"{thread.name} ({thread.ident})"
    yield "Interpreter", environ.get("mod_wsgi.application_group") or "main interpreter"
    yield "Python", f"{platform.python_implementation()} {platform.python_version()} in {sys.prefix}"
    rs_version = module_version()
    if rs_version:
        yield "mod_wsgi_rs", rs_version


def user():
    """The name of the user the process runs as, or the number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def uptime():
    """How long the application has been loaded in this process."""
    return f"loaded {time.time() - STARTED:.0f} s ago"


def module_version():
    """The version of mod_wsgi_rs, where it is the server."""
    try:
        import mod_wsgi
    except ImportError:
        return None
    version = getattr(mod_wsgi, "rs_version", None)
    if isinstance(version, tuple):
        return ".".join(map(str, version))
    return version


def home(environ, start_response, notice=""):
    """The page."""
    shown = sorted((key, value if isinstance(value, str) else repr(value))
                   for key, value in environ.items())
    return page(start_response, "200 OK", notice=notice, root=root(environ),
                host=html.escape(environ.get("HTTP_HOST", "…")),
                served=rows(served_by(environ)), environ=rows(shown))


def stream(environ, start_response):
    """Ten lines, one every half second: each must arrive when it is made."""
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"),
                              ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")])

    def lines():
        for number in range(1, 11):
            yield f"{time.strftime('%H:%M:%S')}  line {number} of 10\n".encode()
            time.sleep(0.5)

    return lines()


def upload(environ, start_response):
    """Size and SHA-256 of a file sent by the form, or of a plain request body (curl -T)."""
    blocks = body_of(environ)
    kind, _, boundary = environ.get("CONTENT_TYPE", "").partition("boundary=")
    if kind.startswith("multipart/form-data"):
        blocks = only_part(blocks, boundary.strip('"').encode("latin-1"))
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
    if "text/html" in environ.get("HTTP_ACCEPT", ""):
        notice = f"<p class=notice>Received {size:,} bytes, SHA-256 <code>{digest.hexdigest()}</code></p>"
        return home(environ, start_response, notice)
    return text(start_response, "200 OK", f"{size} bytes, SHA-256 {digest.hexdigest()}\n")


def body_of(environ):
    """The request body in blocks: as long as its length says, or to its end when chunked."""
    source = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    left = int(length) if length else (float("inf") if environ.get("wsgi.input_terminated") else 0)
    while left > 0:
        block = source.read(int(min(left, 65536)))
        if not block:
            return
        left -= len(block)
        yield block


def only_part(blocks, boundary):
    """The content of the one part of a form, block by block: memory stays small."""
    head, end = b"", b"\r\n--" + boundary
    for block in blocks:
        head += block
        if b"\r\n\r\n" in head or len(head) > 65536:
            break
    kept = head.partition(b"\r\n\r\n")[2]
    # The end of the part may lie across two blocks: always hold that much back.
    for block in blocks:
        kept += block
        if end in kept:
            break
        if len(kept) > len(end):
            yield kept[:-len(end)]
            kept = kept[-len(end):]
    yield kept.partition(end)[0]
    for _ in blocks:  # what is left belongs to no part
        pass


def download(environ, start_response):
    """This file, by wsgi.file_wrapper: the server may send it without Python."""
    name = os.path.join(HERE, "hello.wsgi")
    file = open(name, "rb")
    start_response("200 OK", [
        ("Content-Type", "text/x-python; charset=utf-8"),
        ("Content-Length", str(os.fstat(file.fileno()).st_size)),
        ("Content-Disposition", 'attachment; filename="hello.wsgi"')])
    wrapper = environ.get("wsgi.file_wrapper")
    return wrapper(file, 65536) if wrapper else iter(lambda: file.read(65536), b"")


def fails(environ, start_response):
    """An exception before the answer: 500, and a traceback in the log."""
    print("about to fail on purpose", file=environ["wsgi.errors"])
    raise RuntimeError("this error is raised on purpose")


def fails_late(environ, start_response):
    """An exception in the middle: the client sees that the answer is incomplete."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1000")])
    yield b"the first block, and then nothing\n"
    raise RuntimeError("this error is raised after the first block, on purpose")


def dies(environ, start_response):
    """The process ends: 502 from a daemon process, which is replaced at once."""
    if not environ.get("mod_wsgi.process_group"):
        return text(start_response, "409 Conflict",
                    "This would end the server itself: try it in daemon mode.\n")
    os._exit(3)


def teapot(environ, start_response):
    """A status of the application's own."""
    return text(start_response, "418 I'm a Teapot", "short and stout\n")


def not_found(environ, start_response):
    """The answer to every other path."""
    return text(start_response, "404 Not Found", "There is no such page here.\n")


ROUTES = {
    "/": (("GET",), home),
    "/stream": (("GET",), stream),
    "/upload": (("POST", "PUT"), upload),
    "/download": (("GET",), download),
    "/error/exception": (("GET",), fails),
    "/error/late": (("GET",), fails_late),
    "/error/exit": (("GET",), dies),
    "/error/status": (("GET",), teapot),
}
