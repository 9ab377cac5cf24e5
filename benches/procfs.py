"""Readings of /proc: the process tree, CPU time, memory."""
import contextlib
import os
import platform
import re
import subprocess
import time

HZ = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """The fields of /proc/PID/stat from the state on."""
    with open(f"/proc/{pid}/stat") as file:
        text = file.read()
    return text[text.rindex(")") + 2:].split()


def parent(pid):
    return int(stat(pid)[1])


def tree(roots):
    """The given processes and all that descend from them."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError):
            children.setdefault(parent(name), []).append(int(name))
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.append(pid)
            todo += children.get(pid, [])
    return found


def usage(pids):
    """CPU seconds in user and kernel mode, of children that have ended too, and switches."""
    user = system = switches = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            fields = stat(pid)
            user += int(fields[11]) + int(fields[13])
            system += int(fields[12]) + int(fields[14])
            switches += _switches(pid)
    return user / HZ, system / HZ, switches


def _switches(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/status") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total


def busy():
    """CPU seconds of all processes of the machine."""
    with open("/proc/stat") as file:
        return sum(int(value) for value in file.readline().split()[1:4]) / HZ


def memory(pids):
    """Proportional set size in MiB, summed."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


def speed():
    """How fast the machine is just now: millions of turns of a fixed loop in a second."""
    best = 0
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(300000):
            pass
        best = max(best, 0.3 / (time.perf_counter() - start))
    return best


def machine(httpd, python):
    """What the figures were taken on; `python` runs the applications."""
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    version = subprocess.run([httpd, "-v"], capture_output=True, text=True).stdout
    found = re.search(r"Apache/([\d.]+)", version)
    return (f"{os.cpu_count()} CPUs ({model[1] if model else platform.machine()}), "
            f"Linux {platform.release()}, httpd {found[1] if found else '?'}, "
            + subprocess.run([python, "--version"], capture_output=True, text=True).stdout.strip())
