"""A process that answers questions about another group, with the descriptors it finds in itself."""

import json
import os
import socket
import threading

THREAD = {"thread": 1, "doing": "running", "request": {
    "number": 1, "method": "GET", "uri": "/forged", "application_group": "", "age": 1.0}}


def control():
    """The socket by which the supervisor is heard."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                found = socket.socket(fileno=os.dup(int(name)))
                if found.type == socket.SOCK_SEQPACKET:
                    return found
        except OSError:
            pass


def answer(asker, token, value):
    memory = os.memfd_create("answer", os.MFD_ALLOW_SEALING)
    os.write(memory, json.dumps(value).encode())
    socket.send_fds(asker, [token.to_bytes(8, "little")], [memory])
    os.close(memory)


def forge(out):
    heard = control()
    while True:
        data, descriptors, _, _ = socket.recv_fds(heard, 65536, 4)
        if not descriptors:
            continue
        asker = socket.socket(fileno=descriptors[0])
        own = json.loads(data)["Report"]["token"]
        for token in (0, own, own + 1):
            answer(asker, token, {"answer": "groups", "groups": [], "asked": [
                {"token": own, "group": "victim", "epoch": epoch, "pid": 1} for epoch in range(9)]})
            for epoch in range(9):
                answer(asker, token, {"answer": "process", "group": "victim", "epoch": epoch, "threads": [THREAD]})
        asker.close()
        with open(os.path.join(out, "has-forged"), "w"):
            pass


def application(environ, start_response):
    threading.Thread(target=forge, args=[environ["TEST_OUT"]], daemon=True).start()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"started"]
