"""Starts a server that is a library: serve.py KIND PORT MODULE; flup takes the path of a socket."""
import importlib
import os
import signal
import sys

HOST, PROCESSES, THREADS = "127.0.0.1", 2, 15


def waitress(application, port):
    import waitress
    waitress.serve(application, host=HOST, port=port, threads=PROCESSES * THREADS, ident=None)


def cheroot(application, port):
    from cheroot.wsgi import Server
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Server((HOST, port), application, numthreads=PROCESSES * THREADS, request_queue_size=512).start()


def bjoern(application, port):
    import bjoern
    bjoern.listen(application, HOST, port)
    children = []
    for _ in range(PROCESSES):
        pid = os.fork()
        if pid == 0:
            bjoern.run()
            os._exit(0)
        children.append(pid)

    def stop(*_):
        for pid in children:
            os.kill(pid, signal.SIGTERM)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    for pid in children:
        os.waitpid(pid, 0)


def flup(application, path):
    from flup.server.fcgi import WSGIServer

    def rooted(environ, start_response):
        # mod_proxy_fcgi sends the whole path as SCRIPT_NAME.
        if not environ.get("PATH_INFO"):
            environ["PATH_INFO"], environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", ""), ""
        return application(environ, start_response)

    WSGIServer(rooted, bindAddress=path, umask=0, maxThreads=PROCESSES * THREADS).run()


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    kind, place, module = sys.argv[1:4]
    servers = {"waitress": waitress, "cheroot": cheroot, "bjoern": bjoern, "flup": flup}
    servers[kind](importlib.import_module(module).application,
                  int(place) if place.isdigit() else place)
