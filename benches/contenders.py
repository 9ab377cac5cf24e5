"""Who takes part: one entry per server.

Words in angle brackets in commands and @NAME@ in httpd snippets are filled in when the
contender starts: root (its own folder, with copies of apps/), port, sock (a unix socket), module
(of the application).
"""
import glob
import os
import signal
from dataclasses import dataclass, field

from workloads import WORKLOADS

STATIC = {"hello10", "hello64", "env", "nokeep", "body100k", "stream10m", "file2m6"}
SLEEPING = {"sleep100", "sleep200"}
#: Under prefork each of many children loads them once, which would be all that is measured.
LARGE = {"flask", "django"}
PROCESSES, THREADS = 2, 15

DAEMON = f"""\
WSGIPythonHome @VENV@
WSGIDaemonProcess bench processes={PROCESSES} threads={THREADS} python-home=@VENV@ display-name=%{{GROUP}}
WSGIProcessGroup bench
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / @ROOT@/@SCRIPT@
"""
EMBEDDED = """\
WSGIPythonHome @VENV@
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias / @ROOT@/@SCRIPT@
"""


PHP = """\
Alias /hello @ROOT@/hello.php
<Files hello.php>
    SetHandler application/x-httpd-php
</Files>
"""


@dataclass
class Contender:
    """A server and how it is started."""

    name: str
    group: str                  # wsgi, proxy, standalone, ceiling
    note: str = ""
    httpd: str = ""             # lines of its configuration
    mpm: str = "event"          # empty: no httpd at all
    modules: tuple = ()         # more httpd modules
    backend: tuple = ()         # command of a process beside or instead of httpd
    workloads: set = field(default_factory=lambda: set(WORKLOADS))
    reload: object = None       # a script to touch, or a signal for the backend
    needs: tuple = ()           # files without which it is left out
    is_static: bool = False     # httpd serves files by itself


def table(options):
    """All contenders that the options make possible."""
    found = []
    for mpm in options.mpm.split(","):
        found += _modules(options, mpm)
    found += _php(options)
    return [*found, *_proxied(options.peers), *_standalone(options.peers)]


def _modules(options, mpm):
    at = "" if mpm == "event" else "@" + mpm
    yield Contender("httpd-static" + at, "ceiling", "files, no module", mpm=mpm,
                    workloads=STATIC, is_static=True)
    debian = _unpacked(options, "mod_wsgi.so*")
    for name, module in (("mod_wsgi-6.1.1", options.original), ("mod_wsgi-debian", debian),
                         ("ours", options.ours)):
        if module:
            load = f"LoadModule wsgi_module {os.path.abspath(module)}\n"
            if name != "ours":          # its default is a folder that need not exist
                load += "WSGISocketPrefix @ROOT@/run/wsgi\n"
            common = dict(group="wsgi", mpm=mpm, needs=(module,), reload="slow.wsgi")
            quick = set(WORKLOADS) - (LARGE if mpm == "prefork" else set())
            yield Contender(f"{name}-embedded{at}", httpd=load + EMBEDDED, workloads=quick, **common)
            yield Contender(f"{name}-daemon{at}", httpd=load + DAEMON,
                            note=f"{PROCESSES} processes of {THREADS} threads", **common)


def _php(options):
    """What many people know: PHP in httpd's own processes."""
    module = _unpacked(options, "libphp*.so")
    if module:
        yield Contender("mod_php@prefork", "wsgi", "no opcache", mpm="prefork", needs=(module,),
                        httpd=f"LoadModule php_module {module}\n" + PHP,
                        workloads={"hello10", "hello64", "nokeep"})


def _unpacked(options, pattern):
    """A module of a Debian package that was unpacked and not installed."""
    found = glob.glob(os.path.join(options.unpacked, "usr/lib/apache2/modules", pattern))
    return found[0] if found else None


def _commands(peers):
    """Commands of the servers that exist both behind httpd and alone."""
    programs = os.path.join(peers, "bin")
    gunicorn = (programs + "/gunicorn", "--chdir", "<root>", "--log-level", "error", "--umask", "0",
                "--workers", str(PROCESSES), "--backlog", "512")
    granian = (programs + "/granian", "--interface", "wsgi", "--workers", str(PROCESSES),
               "--blocking-threads", str(THREADS), "--no-ws", "--log-level", "error",
               "--working-dir", "<root>", "--workers-kill-timeout", "2")
    uwsgi = (programs + "/uwsgi", "--master", "--processes", str(PROCESSES), "--threads",
             str(THREADS), "--disable-logging", "--need-app", "--die-on-term", "--virtualenv",
             peers, "--pythonpath", "<root>", "--module", "<module>:application",
             "--listen", "512")
    return gunicorn, granian, uwsgi


def _proxied(peers):
    gunicorn, granian, uwsgi = _commands(peers)
    pass_http = 'ProxyPass "/" "unix:@SOCK@|http://localhost/" retry=0'
    threaded = ("-k", "gthread", "--threads", str(THREADS))
    http = ("proxy", "proxy_http")
    yield Contender("httpd+gunicorn", "proxy", "gthread, unix socket", pass_http, modules=http,
                    backend=gunicorn + threaded + ("-b", "unix:<sock>", "<module>:application"),
                    reload=signal.SIGHUP, needs=gunicorn[:1])
    yield Contender("httpd+granian", "proxy", "unix socket", pass_http, modules=http,
                    backend=granian + ("--uds", "<sock>", "--uds-permissions", "666",
                                       "<module>:application"), needs=granian[:1])
    yield Contender("httpd+uwsgi", "proxy", "uwsgi protocol, unix socket",
                    'ProxyPass "/" "unix:@SOCK@|uwsgi://localhost/" retry=0',
                    modules=("proxy", "proxy_uwsgi"),
                    backend=uwsgi + ("--socket", "<sock>", "--chmod-socket=666"),
                    reload=signal.SIGHUP, needs=uwsgi[:1])
    python = os.path.join(peers, "bin/python")
    yield Contender("httpd+flup", "proxy", "FastCGI, unix socket, 1 process of 30 threads",
                    'ProxyPass "/" "unix:@SOCK@|fcgi://localhost/" retry=0',
                    modules=("proxy", "proxy_fcgi"), needs=(python, _package(peers, "flup")),
                    backend=(python, "<root>/serve.py", "flup", "<sock>", "<module>"))


def _standalone(peers):
    gunicorn, granian, uwsgi = _commands(peers)
    address = "127.0.0.1:<port>"
    yield Contender("granian", "standalone", mpm="", needs=granian[:1],
                    backend=granian + ("--host", "127.0.0.1", "--port", "<port>",
                                       "<module>:application"))
    yield Contender("gunicorn-gthread", "standalone", mpm="", needs=gunicorn[:1],
                    reload=signal.SIGHUP,
                    backend=gunicorn + ("-k", "gthread", "--threads", str(THREADS), "-b", address,
                                        "<module>:application"))
    yield Contender("uwsgi-http", "standalone", mpm="", needs=uwsgi[:1], reload=signal.SIGHUP,
                    backend=uwsgi + ("--http", address, "--http-keepalive=30",
                                     "--http-auto-chunked"))
    python = os.path.join(peers, "bin/python")
    for kind in ("waitress", "cheroot", "bjoern"):
        one_thread = kind == "bjoern"
        yield Contender(kind, "standalone", mpm="",
                        note="one thread each" if one_thread else "1 process of 30 threads",
                        workloads=set(WORKLOADS) - (SLEEPING if one_thread else set()),
                        backend=(python, "<root>/serve.py", kind, "<port>", "<module>"),
                        needs=(python, _package(peers, kind)))


def _package(peers, name):
    """The file or folder of an installed package; some name that does not exist without it."""
    library = os.path.join(peers, "lib")
    versions = os.listdir(library) if os.path.isdir(library) else []
    for version in versions:
        folder = os.path.join(library, version, "site-packages")
        for entry in os.listdir(folder) if os.path.isdir(folder) else []:
            if entry.split(".")[0] == name:
                return os.path.join(folder, entry)
    return os.path.join(library, name)
