"""Tells what the script's own module is called."""

import sys
from wsgiref.validate import validator


@validator
def application(environ, start_response):
    module = sys.modules.get(__name__)
    lines = [
        __file__,
        __name__,
        str(module is not None and module.application is application),
        type(globals().get("__mtime__")).__name__,
        repr(sys.argv),
    ]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(lines).encode()]
