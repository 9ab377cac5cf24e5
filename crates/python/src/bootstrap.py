"""The Python side of an interpreter's set-up; run once in every interpreter by bootstrap.rs.

Nothing here is called per request, apart from the formatting of tracebacks.
"""

import io
import os
import sys
import types


def text_stream(log):
    """The text stream over a mod_wsgi.Log: complete lines go through at once."""
    return io.TextIOWrapper(log, "utf-8", "replace", None, True, True)


def set_streams(error_log, output_log):
    """Sends sys.stderr and sys.stdout to the error log and names the program."""
    sys.stderr = text_stream(error_log)
    sys.stdout = text_stream(output_log)
    sys.argv = ["mod_wsgi"]


class Restricted:
    """Stands in the place of a standard stream that applications are kept from."""

    def __init__(self, name):
        object.__setattr__(self, "_name", name)

    def __getattribute__(self, attribute):
        raise OSError("sys.%s access restricted by mod_wsgi" % object.__getattribute__(self, "_name"))

    def __setattr__(self, attribute, value):
        self.refused

    def __delattr__(self, attribute):
        self.refused

    def __iter__(self):
        self.refused


def restrict_stream(name):
    """Keeps applications from a standard stream (WSGIRestrictStdin, WSGIRestrictStdout)."""
    import atexit

    stream = Restricted(name)
    setattr(sys, name, stream)

    def give_up():
        if getattr(sys, name) is stream:
            setattr(sys, name, None)

    # Registered first, so run last: Python flushes its streams when it ends, and would complain.
    atexit.register(give_up)


def restrict_signals(log):
    """Keeps applications from taking signals that belong to the host (WSGIRestrictSignal).

    What the module signal calls is replaced, not the function in it: the module would cost every
    process half a megabyte, whether its application imports it or not.
    """
    import _signal

    original = _signal.signal
    owner = os.getpid()

    def register(signalnum, handler):
        # A forked child is no longer the host's process.
        if os.getpid() != owner:
            return original(signalnum, handler)
        caller = sys._getframe(1)
        if caller.f_globals.get("__name__") == "signal":
            caller = caller.f_back
        place = (signalnum, caller.f_code.co_filename, caller.f_lineno)
        log._notice("callback registration for signal %d ignored (WSGIRestrictSignal): %s:%d" % place)
        return handler

    register.__name__ = register.__qualname__ = "signal"
    register.__doc__ = original.__doc__
    _signal.signal = register


def correct_environment(user, home, eggs):
    """Names the user the process runs as, where the environment names another."""
    if user is not None:
        for name in ("USER", "USERNAME", "LOGNAME"):
            if name in os.environ:
                os.environ[name] = user
    if home is not None:
        os.environ["HOME"] = home
    if eggs is not None:
        os.environ["PYTHON_EGG_CACHE"] = eggs


def set_switch_interval(microseconds):
    """Sets after how long a thread is asked to give up the interpreter lock."""
    sys.setswitchinterval(microseconds / 1e6)


def add_directory(directory):
    """Adds a directory with its .pth files to sys.path; what is new goes to the front."""
    import site

    before = list(sys.path)
    try:
        site.addsitedir(directory)
    finally:
        # A .pth file that cannot be read raises: after the directory itself was added, or, since
        # Python 3.15, before.
        place = os.path.abspath(directory)
        if place not in sys.path and os.path.isdir(place):
            sys.path.append(place)
        added = [entry for entry in sys.path if entry not in before]
        sys.path[:] = added + before


def put_first(directory):
    """Makes a directory the first of sys.path."""
    sys.path.insert(0, directory)


def package_path():
    """Where an installed package `mod_wsgi` keeps its modules, so that they stay importable."""
    specs = (finder.find_spec("mod_wsgi", None) for finder in sys.meta_path)
    spec = next((spec for spec in specs if spec), None)
    locations = spec and spec.submodule_search_locations
    return list(locations) if locations else None


def publish(module, path, attributes, apache_attributes, may_import_apache):
    """Makes `mod_wsgi` and `apache` importable with their attributes."""
    if path is not None:
        module.__path__ = path
    module.__dict__.update(attributes)
    sys.modules["mod_wsgi"] = module
    apache = None
    if may_import_apache:
        try:
            import apache
        except Exception:  # a module of that name that has nothing to do with httpd
            apache = None
    if apache is None:
        apache = sys.modules["apache"] = types.ModuleType("apache")
    apache.__dict__.update(apache_attributes)


def warm_up():
    """Imports what the first request would: a codec.

    The module threading takes the thread that imports it first for the main one and expects it
    to be there at the end: that must be the one that sets the interpreter up.
    """
    import encodings.latin_1  # noqa: F401
    import threading  # noqa: F401


def leave(signalnum, frame):
    sys.exit()


def leave_on_sigterm():
    """Makes SIGTERM end a service script like sys.exit()."""
    import signal

    signal.signal(signal.SIGTERM, leave)


def stay_on_sigterm():
    """The service script has ended. Unless threads of it are to be waited for, there is nothing left
    that SIGTERM could end: it would be an exception somewhere in the end of the interpreter."""
    import signal
    import threading

    if signal.getsignal(signal.SIGTERM) is leave and threading.active_count() == 1:
        signal.signal(signal.SIGTERM, lambda signalnum, frame: None)


def dump_on_signals():
    """Sends the stacks of all threads to the error log: when the process dies of a signal, and when
    the signal of dump.rs asks for it."""
    import _signal
    import faulthandler

    faulthandler.enable(2)
    faulthandler.register(_signal.SIGRTMAX - 1, 2)


def stack_of(frame):
    """The stack that ends with a frame; none of it without one."""
    if frame is None:
        return []
    frames = []
    while frame is not None:
        frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    try:
        import traceback
    except Exception:
        return bare_lines(reversed(frames))
    return lines_of(traceback.StackSummary.extract(reversed(frames)).format())


def traceback_lines(exception):
    """A traceback as the interpreter prints it, by lines."""
    try:
        # Not before it is needed: it costs every process a megabyte.
        import traceback
    except Exception:  # no descriptor is left, perhaps
        trace, frames = exception.__traceback__, []
        while trace is not None:
            frames.append((trace.tb_frame, trace.tb_lineno))
            trace = trace.tb_next
        name = type(exception).__qualname__
        header = "Traceback (most recent call last):"
        return [header, *bare_lines(frames), "%s: %s" % (name, exception)]
    return lines_of(traceback.format_exception(type(exception), exception, exception.__traceback__))


def refusal_of(exception):
    """What an extension module says that is not made for several interpreters; None otherwise.

    The first two texts are CPython's and PyO3's, the others Cython's and numpy's.
    """
    words = ("subinterpreter", "sub-interpreter", "one interpreter per process", "once per process")
    seen = []
    while exception is not None and not any(exception is other for other in seen):
        seen.append(exception)
        if isinstance(exception, ImportError):
            for line in str(exception).splitlines():
                if any(word in line.lower() for word in words):
                    return line.strip()
        exception = exception.__cause__ or exception.__context__
    return None


def bare_lines(frames):
    """Where frames are in their files, without what stands there."""
    place = '  File "%s", line %d, in %s'
    return [place % (frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in frames]


def lines_of(parts):
    """Text as the module traceback gives it, by lines."""
    return "".join(parts).rstrip("\n").split("\n")


def finish_threads():
    """Waits for the interpreter's non-daemon threads, as its end would."""
    import threading

    # Before CPython 3.13 the thread that imported the module counts among those to wait for.
    # Here it is a request thread, which httpd ends without CPython hearing of it.
    importer = threading._main_thread
    lock = getattr(importer, "_tstate_lock", None)
    if lock is not None and importer.ident != threading.get_ident():
        threading._shutdown_locks.discard(lock)
    threading._shutdown()
    # CPython calls it once more; in a sub-interpreter 3.12 does not expect that.
    threading._shutdown = lambda: None


def run_exit_callbacks():
    """Runs what was registered with atexit."""
    import atexit

    atexit._run_exitfuncs()


def watch_collections(name, note):
    """Tells about the garbage collector of this interpreter, now and after each collection."""
    import gc
    import time

    begun = (0, 0)

    def state():
        generations = gc.get_stats()[:3]
        counts = ("collections", "collected", "uncollectable")
        numbers = [generation[count] for count in counts for generation in generations]
        settings = (gc.isenabled(), gc.get_freeze_count())
        return (*gc.get_count(), *gc.get_threshold(), *numbers, *settings)

    def watch(phase, info):
        nonlocal begun
        if phase == "start":
            begun = (time.time_ns(), time.perf_counter_ns())
            return
        start, clock = begun
        duration = time.perf_counter_ns() - clock
        result = (info["generation"], info["collected"], info["uncollectable"])
        note(name, state(), (start // 1000, duration // 1000, *result))

    note(name, state(), ())
    gc.callbacks.append(watch)
