"""Zope as its users mount it: by paste.deploy, with a front end's `++vh++` addresses rewritten."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from paste.deploy import loadapp  # noqa: E402

zope = loadapp("config:" + os.path.join(HERE, "zope.ini"))
VIRTUAL_HOST = re.compile(r"/\+\+vh\+\+(https?):([^/:]+):(\d+)/\+\+(.*)", re.DOTALL)


def application(environ, start_response):
    found = VIRTUAL_HOST.fullmatch(environ.get("PATH_INFO", ""))
    if found:
        protocol, host, port, rest = found.groups()
        environ["PATH_INFO"] = f"/VirtualHostBase/{protocol}/{host}:{port}/VirtualHostRoot{rest}"
    return zope(environ, start_response)
