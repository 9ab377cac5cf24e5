"""Looks at httpd's record of the request, which extension modules get as a capsule."""

import ctypes

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]

kept = []


def allow_access(environ, host):
    return (server_name(environ) == "localhost") == ("asks" in environ["QUERY_STRING"])


def server_name(environ):
    """Asks httpd itself about the request."""
    capsule = environ.get("apache.request_rec")
    if capsule is None:
        return None
    ask = ctypes.CDLL(None).ap_get_server_name
    ask.restype = ctypes.c_char_p
    ask.argtypes = [ctypes.c_void_p]
    return ask(_pointer(capsule, None)).decode()


def record(environ, start_response):
    return server_name(environ)


def keep(environ, start_response):
    kept.append(environ["apache.request_rec"])
    return type(kept[-1]).__name__


def after(environ, start_response):
    try:
        return _pointer(kept[0], None)
    except ValueError as error:
        return error


def application(environ, start_response):
    answer = globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(answer).encode()]
