"""Shows the environ: one line per key with the type and an ASCII repr of the value."""

from wsgiref.validate import validator


def show(environ, start_response):
    lines = [f"{key!a}\t{type(value).__name__}\t{value!a}" for key, value in environ.items()]
    lines.append(f"'type(environ)'\ttype\t{type(environ).__name__!a}")
    body = "\n".join(sorted(lines)).encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = validator(show)


def bare(environ, start_response):
    """Without the validator, whose wrappers replace wsgi.input and wsgi.errors."""
    return show(environ, start_response)
