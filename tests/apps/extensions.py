"""Uses C extensions."""

import ctypes
import sqlite3
import ssl
from wsgiref.validate import validator

import lxml.etree
import numpy


@validator
def application(environ, start_response):
    tree = lxml.etree.fromstring("<a><b>text</b></a>")
    database = sqlite3.connect(":memory:")
    lines = [
        str(numpy.arange(10).sum()),
        tree.findtext("b"),
        str(database.execute("select 6 * 7").fetchone()[0]),
        ssl.OPENSSL_VERSION.split()[0],
        str(ctypes.sizeof(ctypes.c_int32)),
    ]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(lines).encode()]
