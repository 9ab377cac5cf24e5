"""The reload test: an open loop at a fixed rate while the application is reloaded."""
import asyncio
import os
import re
import time

from server import Server
from workloads import HELLO

REQUEST = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Loop:
    """Requests at a fixed rate, whatever the answers do; latency counts from the time due."""

    def __init__(self, port, request=REQUEST):
        self.port, self.request, self.idle, self.results = port, request, [], []

    async def _one(self, due):
        connection = self.idle.pop() if self.idle else None
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", self.port)
            outcome = await self._exchange(*connection)
        except Exception as error:      # every kind of failure is a result here
            outcome = type(error).__name__
            if connection:
                connection[1].close()
        self.results.append((time.monotonic() - due, outcome))

    async def _exchange(self, reader, writer):
        writer.write(self.request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head.lower())
        body = await (reader.readexactly(int(length[1])) if length else reader.read())
        if length and b"connection: close" not in head.lower() + self.request.lower():
            self.idle.append((reader, writer))
        else:
            writer.close()
        status = head.split(b" ", 2)[1].decode()
        return "ok" if status == "200" and body == HELLO else status

    async def run(self, rate, seconds, act_at=None, act=None):
        start, tasks = time.monotonic() + 0.05, []
        for index in range(int(rate * seconds)):
            due = start + index / rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            if act and index / rate >= act_at:
                act, _ = None, act()
            tasks.append(asyncio.ensure_future(self._one(due)))
        _, waiting = await asyncio.wait(tasks, timeout=15)
        for task in waiting:
            task.cancel()
            self.results.append((15.0, "unanswered"))
        for _, writer in self.idle:
            writer.close()
        return self.results


def measure(contender, options):
    """Latencies and failures of the seconds around one reload of a slow application."""
    server = Server(contender, options, is_slow=True)

    def act():
        if isinstance(contender.reload, str):
            os.utime(os.path.join(server.root, contender.reload))
        else:
            os.kill(server.processes[0].pid, contender.reload)

    try:
        server.start()
        asyncio.run(Loop(server.port).run(options.rate, 3))     # loads it everywhere
        results = asyncio.run(Loop(server.port).run(options.rate, 7, 2.0, act))
    finally:
        server.stop()
    good = sorted(latency * 1000 for latency, outcome in results if outcome == "ok")
    errors = {}
    for _, outcome in results:
        if outcome != "ok":
            errors[outcome] = errors.get(outcome, 0) + 1

    def quantile(share):
        return good[min(len(good) - 1, int(share * len(good)))] if good else None

    return {"requests": len(results), "p50": quantile(.5), "p99": quantile(.99),
            "max": quantile(1), "over100ms": sum(one > 100 for one in good), "errors": errors}
