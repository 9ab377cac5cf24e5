"""Load generators and counters: wrk, ab, perf."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import procfs
from server import Failed
from workloads import WORKLOADS

HERE = os.path.dirname(os.path.abspath(__file__))
EVENTS = "instructions:u,instructions:k,cycles,raw_syscalls:sys_enter,context-switches"


class Load:
    """Puts load on servers; keeps the files that wrk reads."""

    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="benchload.")
        for name, workload in WORKLOADS.items():
            if workload.body:
                self._write(name + ".body", workload.body)
            if workload.headers:
                lines = "".join(f"{key}: {value}\n" for key, value in workload.headers.items())
                self._write(name + ".headers", lines.encode())

    def _write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self, server, name):
        """One request whose answer is looked at: a fast wrong answer is no result."""
        workload = WORKLOADS[name]
        status, body = server.get(workload.path, workload.method, workload.headers, workload.body)
        if status != 200 or len(body) != workload.length:
            raise Failed(f"status {status}, {len(body)} bytes instead of 200, {workload.length}: "
                         + server.log_tail())
        if workload.answer and body != workload.answer:
            raise Failed(f"unexpected answer {body[:40]!r}")

    def run(self, server, name, seconds):
        return self._ab(server, name, seconds) if WORKLOADS[name].tool == "ab" \
            else self._wrk(server, name, seconds)

    def _wrk(self, server, name, seconds):
        workload = WORKLOADS[name]
        environment = {"PATH": os.environ["PATH"], "BENCH_METHOD": workload.method}
        if workload.headers:
            environment["BENCH_HEADERS"] = os.path.join(self.folder, name + ".headers")
        if workload.body:
            environment["BENCH_BODY"] = os.path.join(self.folder, name + ".body")
        process = subprocess.run(
            ["wrk", "-t1", f"-c{workload.connections}", f"-d{max(1, seconds):g}s",
             "--timeout", "10s", "-s", os.path.join(HERE, "conf/wrk.lua"),
             f"http://127.0.0.1:{server.port}{workload.path}"],
            env=environment, capture_output=True, text=True, timeout=seconds + 40)
        match = re.search(r"BENCHJSON (\{.*\})", process.stdout)
        if not match:
            raise Failed("wrk: " + (process.stdout + process.stderr).strip()[-200:])
        said = json.loads(re.sub(r"\b-?nan\b", "0", match[1]))
        errors = sum(said[kind] for kind in ("connect", "read", "write", "status", "timeout"))
        return {"requests": said["requests"],
                "rps": said["requests"] / (said["duration_us"] / 1e6),
                "p50": said["p50"] / 1000, "p99": said["p99"] / 1000, "errors": errors}

    def _ab(self, server, name, seconds):
        workload = WORKLOADS[name]
        table = os.path.join(self.folder, "ab.csv")
        process = subprocess.run(
            ["ab", "-q", "-n", "1000000", "-t", str(max(1, round(seconds))),
             "-c", str(workload.connections), "-e", table,
             f"http://127.0.0.1:{server.port}{workload.path}"],
            capture_output=True, text=True, timeout=seconds + 40)

        def number(pattern):
            match = re.search(pattern + r":\s+([\d.]+)", process.stdout)
            return float(match[1]) if match else 0.0

        requests = int(number("Complete requests"))
        if not requests:
            raise Failed("ab: " + (process.stdout + process.stderr).strip()[-200:])
        with open(table) as file:
            pairs = [line.split(",") for line in file.read().splitlines()[1:]]
        percent = {int(float(share)): float(value) for share, value in pairs}
        return {"requests": requests, "rps": number("Requests per second"),
                "p50": percent.get(50, 0), "p99": percent.get(99, 0),
                "errors": int(number("Failed requests") + number("Non-2xx responses"))}

    def measure(self, server, name, seconds, is_first):
        """Load for some seconds with the CPU time it cost, repeated while others are busy."""
        self.check(server, name)
        if is_first or WORKLOADS[name].is_framework:
            self.run(server, name, 1)
        pids = server.pids()
        for tries_left in (2, 1, 0):
            before = procfs.usage(pids), procfs.busy(), sum(os.times()[:4]), time.monotonic()
            result = self.run(server, name, seconds)
            after = procfs.usage(pids), procfs.busy(), sum(os.times()[:4]), time.monotonic()
            user, system, switches = (b - a for a, b in zip(before[0], after[0]))
            wall = after[3] - before[3]
            own = after[2] - before[2]
            foreign = (after[1] - before[1] - own - user - system) / wall
            if foreign < self.options.quiet or not tries_left:
                break
            print(f"   others used {foreign:.2f} cores: once more", file=sys.stderr, flush=True)
            time.sleep(2)
        server.check_alive()
        requests = max(1, result["requests"])
        result.update(cpu_us=(user + system) * 1e6 / requests, user_us=user * 1e6 / requests,
                      system_us=system * 1e6 / requests, switches=switches / requests,
                      pss=procfs.memory(server.pids()), foreign=foreign)
        return result

    def counters(self, server, name, seconds=2):
        """Instructions, system calls and switches a request, of the whole process tree."""
        out = os.path.join(self.folder, "perf.csv")
        with contextlib.suppress(OSError):
            os.unlink(out)
        pids = ",".join(map(str, server.pids()))
        perf = subprocess.Popen(["perf", "stat", "-x", ",", "-o", out, "-e", EVENTS, "-p", pids],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4)
        try:
            result = self.run(server, name, seconds)
        finally:
            perf.send_signal(signal.SIGINT)
            perf.wait(10)
        counts = {}
        with contextlib.suppress(OSError), open(out) as file:
            for fields in (line.split(",") for line in file):
                if len(fields) > 3 and fields[0][:1].isdigit():
                    counts[fields[2]] = float(fields[0]) / max(1, result["requests"])
        return counts
