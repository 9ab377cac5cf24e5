"""Starts and stops one contender in a folder of its own."""
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import procfs
from workloads import HELLO

HERE = os.path.dirname(os.path.abspath(__file__))
BLOB = bytes(range(256)) * 10156 + b"\0" * 64       # 2,600,000 bytes
FILES = {"hello": HELLO, "env": HELLO, "body100k": b"x" * 102400,
         "stream10m": b"y" * 65536 * 160, "file2m6": BLOB}

CONFIGURATION = """\
ServerRoot "@ROOT@"
DefaultRuntimeDir "@ROOT@/run"
PidFile "@ROOT@/run/httpd.pid"
ServerName localhost
Listen 127.0.0.1:@PORT@
@USER@
ErrorLog "@ROOT@/error.log"
LogLevel warn
Timeout 60
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
ServerTokens Prod
@MPM@
@MODULES@
TypesConfig /etc/mime.types
DocumentRoot "@ROOT@/htdocs"
<Directory "@ROOT@">
    AllowOverride None
    Require all granted
</Directory>
@CONTENDER@
"""


def add_options(parser):
    """What every program that starts servers must be told; beside `--ours`."""
    parser.add_argument("--venv", default=sys.prefix, help="venv of the applications")
    parser.add_argument("--httpd", default="/usr/sbin/apache2")
    parser.add_argument("--moddir", default="/usr/lib/apache2/modules")
    parser.add_argument("--user", default="www-data")
    parser.add_argument("--group-name", default="www-data")
    parser.add_argument("--keep", action="store_true", help="keep the servers' folders")


class Failed(Exception):
    """A contender did not start, died, or gave a wrong answer."""


class Server:
    """One contender, running between start() and stop()."""

    def __init__(self, contender, options, is_slow=False):
        self.contender, self.options = contender, options
        self.script = "slow.wsgi" if is_slow else "app.wsgi"
        self.module = "slow_app" if is_slow else "bench_app"
        self.processes, self.startup = [], None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.root = tempfile.mkdtemp(prefix="bench.", dir="/tmp")
        self.socket = os.path.join(self.root, "b.sock")
        self._fill()

    def _fill(self):
        """The application, what httpd serves itself, and rights for httpd's user."""
        shutil.copytree(os.path.join(HERE, "apps"), self.root, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("__pycache__"))
        documents = os.path.join(self.root, "htdocs")
        os.mkdir(documents)
        os.mkdir(os.path.join(self.root, "run"))
        os.chmod(self.root, 0o755)
        names = FILES if self.contender.is_static else ["hello"]
        for name in names:
            with open(os.path.join(documents, name), "wb") as file:
                file.write(FILES[name])
        with open(os.path.join(self.root, "file2m6"), "wb") as file:
            file.write(BLOB)
        subprocess.run(["chmod", "-R", "a+rX", self.root], check=True)

    def _values(self):
        options = self.options
        account = f"User {options.user}\nGroup {options.group_name}" if os.geteuid() == 0 else ""
        return {"ROOT": self.root, "PORT": self.port, "USER": account, "SOCK": self.socket,
                "MODDIR": options.moddir, "VENV": options.venv, "SCRIPT": self.script}

    def _configuration(self):
        contender, values = self.contender, self._values()
        with open(os.path.join(HERE, "conf", f"mpm-{contender.mpm}.conf.in")) as file:
            values["MPM"] = fill(file.read(), values)
        names = ("authz_core", "mime", "alias") + contender.modules
        values["MODULES"] = "\n".join(
            f"LoadModule {name}_module {self.options.moddir}/mod_{name}.so" for name in names)
        values["CONTENDER"] = fill(contender.httpd, values)
        return fill(CONFIGURATION, values)

    def _spawn(self, command):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                       "HOME": self.root, "TMPDIR": self.root, "PYTHONDONTWRITEBYTECODE": "1"}
        with open(os.path.join(self.root, f"out.{len(self.processes)}.log"), "wb") as log:
            self.processes.append(subprocess.Popen(
                command, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True))

    def start(self, seconds=20):
        """Starts everything and waits for the first right answer."""
        contender, begun = self.contender, time.monotonic()
        if contender.backend:
            words = {"root": self.root, "port": self.port, "sock": self.socket,
                     "module": self.module}
            self._spawn([re.sub(r"<(\w+)>", lambda match: str(words[match[1]]), word)
                         for word in contender.backend])
        if contender.mpm:
            path = os.path.join(self.root, "httpd.conf")
            with open(path, "w") as file:
                file.write(self._configuration())
            self._spawn([self.options.httpd, "-d", self.root, "-f", path, "-DFOREGROUND"])
        last = ""
        while time.monotonic() - begun < seconds:
            self.check_alive()
            try:
                status, body = self.get("/hello", timeout=5)
                if status == 200 and body == HELLO:
                    self.startup = time.monotonic() - begun
                    return
                last = f"status {status}"
            except (OSError, http.client.HTTPException) as error:
                last = repr(error)
            time.sleep(0.002)
        raise Failed(f"no answer within {seconds} s ({last}): {self.log_tail()}")

    def check_alive(self):
        for process in self.processes:
            if process.poll() is not None:
                raise Failed(f"process ended with {process.returncode}: {self.log_tail()}")

    def log_tail(self):
        lines = []
        for name in ("error.log", "out.0.log", "out.1.log"):
            with contextlib.suppress(OSError):
                with open(os.path.join(self.root, name), errors="replace") as file:
                    lines += file.read().strip().splitlines()[-3:]
        return " | ".join(lines)[-400:]

    def get(self, path, method="GET", headers=None, body=None, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def pids(self):
        return procfs.tree([process.pid for process in self.processes])

    def stop(self):
        """Ends what was started here, whatever became of it."""
        pids = self.pids()
        for process in reversed(self.processes):
            with contextlib.suppress(OSError):
                process.terminate()
        end = time.monotonic() + 10
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, end - time.monotonic()))
        for pid in pids:
            with contextlib.suppress(OSError, ValueError):
                if self._is_ours(pid):
                    os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        if not self.options.keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def _is_ours(self, pid):
        """Whether a number still is the process we knew, by the folder in its environment."""
        with open(f"/proc/{pid}/environ", errors="replace") as file:
            return procfs.stat(pid)[0] != "Z" and self.root in file.read()


def fill(text, values):
    """Puts values in the place of @NAME@."""
    return re.sub(r"@([A-Z0-9_]+)@", lambda match: str(values.get(match[1], match[0])), text)
