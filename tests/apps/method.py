"""Answers with the request method in a header."""

from wsgiref.validate import validator


@validator
def application(environ, start_response):
    body = b"" if environ["REQUEST_METHOD"] == "HEAD" else b"method " * 200
    headers = [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])]
    start_response("200 OK", headers)
    return [body] if body else []
