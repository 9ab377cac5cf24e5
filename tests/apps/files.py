"""Sends files with wsgi.file_wrapper, one route each. The files are in the folder TEST_ROOT."""

import io
import os
import tempfile

HEADERS = [("Content-Type", "application/octet-stream")]


def _open(environ):
    return open(os.path.join(environ["TEST_ROOT"], "data.bin"), "rb")


def _note(environ, name, text):
    with open(os.path.join(environ["TEST_OUT"], name), "a") as record:
        record.write(text)


def plain(environ, start_response):
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](_open(environ))


def block_size(environ, start_response):
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](_open(environ), 1000)


def keyword(environ, start_response):
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](filelike=_open(environ), blksize=100)


def from_offset(environ, start_response):
    stream = _open(environ)
    stream.seek(100_000)
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](stream)


def with_length(environ, start_response):
    stream = _open(environ)
    stream.seek(10)
    start_response("200 OK", list(HEADERS) + [("Content-Length", "20")])
    return environ["wsgi.file_wrapper"](stream)


def length_beyond_end(environ, start_response):
    stream = _open(environ)
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(size - 5)
    start_response("200 OK", list(HEADERS) + [("Content-Length", "50")])
    return environ["wsgi.file_wrapper"](stream)


def bytes_io(environ, start_response):
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](io.BytesIO(b"in memory " * 5000))


def only_read(environ, start_response):
    class Source:
        def __init__(self):
            self.left = 3

        def read(self, size):
            self.left -= 1
            return b"r" * size if self.left >= 0 else b""

    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](Source(), 10)


def closes(environ, start_response):
    class Source(io.FileIO):
        def close(self):
            if not self.closed:
                _note(environ, "file_closed", "x")
            super().close()

    start_response("200 OK", list(HEADERS))
    path = os.path.join(environ["TEST_ROOT"], "data.bin")
    return environ["wsgi.file_wrapper"](Source(path, "r"))


def deleted(environ, start_response):
    """A temporary file without a name."""
    stream = tempfile.TemporaryFile()
    stream.write(b"temporary " * 1000)
    stream.seek(0)
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](stream)


def written_first(environ, start_response):
    write = start_response("200 OK", list(HEADERS))
    write(b"before ")
    stream = _open(environ)
    stream.seek(0, 2)
    stream.seek(stream.tell() - 4)
    return environ["wsgi.file_wrapper"](stream)


def wrapped(environ, start_response):
    """Middleware around the wrapper: plain iteration."""
    start_response("200 OK", list(HEADERS))
    inner = environ["wsgi.file_wrapper"](_open(environ))
    return (block for block in inner)


def pipe(environ, start_response):
    reader, writer = os.pipe()
    os.write(writer, b"from a pipe")
    os.close(writer)
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](os.fdopen(reader, "rb"))


def empty(environ, start_response):
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](open(os.devnull, "rb"))


def empty_file(environ, start_response):
    stream = tempfile.TemporaryFile()
    start_response("200 OK", list(HEADERS))
    return environ["wsgi.file_wrapper"](stream)


def api(environ, start_response):
    wrapper_class = environ["wsgi.file_wrapper"]
    lines = []

    def attempt(name, call):
        try:
            lines.append(f"{name}: {call()!a}")
        except Exception as error:
            lines.append(f"{name}: {type(error).__name__}: {error}")

    class Sub(wrapper_class):
        pass

    class Text:
        def read(self, size):
            return "text"

    source = io.BytesIO(b"abcdef")
    wrapper = Sub(source, 4)
    attempt("isinstance", lambda: isinstance(wrapper, wrapper_class))
    attempt("blksize", lambda: wrapper.blksize)
    attempt("default", lambda: wrapper_class(source).blksize)
    attempt("filelike", lambda: wrapper.filelike is source)
    attempt("blocks", lambda: list(wrapper))
    attempt("negative", lambda: wrapper_class(source, -1))
    attempt("text", lambda: next(iter(wrapper_class(Text()))))
    attempt("no read", lambda: next(iter(wrapper_class(object()))))
    attempt("close", wrapper.close)
    attempt("closed", lambda: source.closed)
    attempt("close twice", wrapper.close)
    attempt("after close", lambda: next(iter(wrapper)))
    body = "\n".join(lines).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
