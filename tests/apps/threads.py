"""What applications do with threads and processes of their own, one route each."""

import os
import threading
import time

local = threading.local()


def count(environ):
    """The name and number of the thread that answers, and how many requests it has answered."""
    local.count = getattr(local, "count", 0) + 1
    thread = threading.current_thread()
    # Other threads get the requests meanwhile.
    time.sleep(0.02)
    return f"{thread.name} {thread.ident} {local.count}"


def main(environ):
    """What the module threading takes for the main thread."""
    return threading.main_thread().name


def lasting(environ):
    """Leaves a thread behind that has work to do when the process ends."""
    out = environ["TEST_OUT"]

    def work():
        time.sleep(0.5)
        with open(os.path.join(out, "finished"), "w") as note:
            note.write("x")

    # A thread that Python does not know is a daemon thread to it, and so would be those it starts.
    threading.Thread(target=work, name="lasting", daemon=False).start()
    return "started"


def coroutines(environ):
    import asyncio

    async def double(number):
        await asyncio.sleep(0.01)
        return 2 * await asyncio.to_thread(int, number)

    async def all_of_them():
        return await asyncio.gather(*(double(number) for number in "1234"))

    return asyncio.run(all_of_them())


def pool(environ):
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        return list(executor.map(abs, range(-4, 0)))


def program(environ):
    """A program, with input and output, and one that fails."""
    import subprocess

    said = subprocess.run(["/bin/cat"], input=b"text", capture_output=True, timeout=20)
    failed = subprocess.run(["/bin/sh", "-c", "exit 3"], timeout=20)
    return said.stdout.decode(), said.stderr.decode(), failed.returncode


def python(environ):
    import subprocess
    import sys

    code = "import sys; print(sys.version_info[:2])"
    said = subprocess.check_output([sys.executable, "-I", "-c", code], timeout=20)
    return said.decode().strip() == str(sys.version_info[:2])


def processes(environ):
    """A pool of processes, made as the query says."""
    import multiprocessing

    context = multiprocessing.get_context(environ["QUERY_STRING"])
    pool = context.Pool(2)
    try:
        return pool.map(abs, range(-4, 0))
    finally:
        # Not terminate(): the threads of httpd's children block SIGTERM, and so do their children.
        pool.close()
        pool.join()


def application(environ, start_response):
    text = str(globals()[environ["PATH_INFO"].strip("/")](environ)).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
