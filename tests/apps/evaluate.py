"""Evaluates the Python expressions of the query, separated by `;;`, and answers with the results.

Each line is the repr of a value, or the type and text of the exception. Names in reach:
`environ`, `stream` (wsgi.input), `errors` (wsgi.errors), `sr` (start_response) and all modules
through `imp("name")`.
"""

import importlib
from urllib.parse import unquote


def application(environ, start_response):
    names = {
        "environ": environ,
        "stream": environ["wsgi.input"],
        "errors": environ["wsgi.errors"],
        "sr": start_response,
        "imp": importlib.import_module,
    }
    lines = []
    for code in unquote(environ["QUERY_STRING"]).split(";;"):
        try:
            lines.append(ascii(eval(code, names)))
        except Exception as error:
            lines.append(f"{type(error).__name__}: {error}")
    body = "\n".join(lines).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
