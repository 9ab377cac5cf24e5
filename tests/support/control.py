"""A client of the control socket, after docs/status.md: control.py SOCKET QUESTION [SECONDS]."""

import json
import os
import socket
import sys
import time

path, question = sys.argv[1:3]
end = time.monotonic() + float(sys.argv[3] if len(sys.argv) > 3 else 3)
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.connect(path)
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
socket.send_fds(control, [question.encode()], [theirs.fileno()])
theirs.close()
answers = []
while True:
    ours.settimeout(max(0.001, end - time.monotonic()))
    try:
        data, descriptors, _, _ = socket.recv_fds(ours, 16, 4)
    except TimeoutError:
        print("TIMEOUT")
        break
    if not data:
        break
    for descriptor in descriptors:
        answers.append(json.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0)))
print(json.dumps(answers))
