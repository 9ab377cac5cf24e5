"""Ends the process when a file of the application changes, so that a new one takes its place.

For development: the files of all loaded modules are looked at once in a while. Also available as
mod_wsgi.express.reloader where that package is not installed.
"""

import os
import signal
import sys
import threading

_tracked = set()
_started = False
_lock = threading.Lock()


def track_changes(path):
    """Watches a file that is no module, such as a template or settings."""
    with _lock:
        _tracked.add(os.path.abspath(path))


def start_reloader(interval=1.0):
    """Starts watching, once in each process."""
    global _started
    with _lock:
        if _started:
            return
        _started = True
    threading.Thread(target=_watch, args=(interval,), name="reloader", daemon=True).start()


def _files():
    """The files to look at: source files of modules, and what is tracked besides."""
    with _lock:
        found = set(_tracked)
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            # A module of bytecode only has its source beside it.
            found.add(path[:-1] if path.endswith((".pyc", ".pyo")) else path)
    return found


def _time(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _watch(interval):
    seen = {}
    pause = threading.Event()
    while not pause.wait(interval):
        for path in _files():
            time = _time(path)
            if path not in seen:
                seen[path] = time
            elif time != seen[path]:
                print(f"monitor (pid={os.getpid()}): Change detected to '{path}'.", file=sys.stderr)
                print(f"monitor (pid={os.getpid()}): Triggering process restart.", file=sys.stderr)
                os.kill(os.getpid(), signal.SIGINT)
                return
