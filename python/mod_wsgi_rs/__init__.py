"""mod_wsgi_rs: Python web applications under Apache httpd.

The package finds the command `mod-wsgi-rs` and calls it with this Python; the server itself is not
written in Python. `mod_wsgi_rs.django` is the Django application with `manage.py runmodwsgi`.
"""

import os
import sys

__all__ = ["command", "environment", "main", "start"]

_HERE = os.path.dirname(os.path.abspath(__file__))


def command():
    """The path of the command: that of this package, or the one on PATH."""
    own = os.path.join(_HERE, "server", "mod_wsgi_rs", "mod-wsgi-rs")
    if os.access(own, os.X_OK):
        return own
    import shutil  # not for those who only import the package

    found = shutil.which("mod-wsgi-rs", path=_path_without_scripts())
    if found is None:
        raise FileNotFoundError("the command mod-wsgi-rs is not installed: install the package mod_wsgi_rs of the system")
    return found


def environment():
    """The environment for the command: it then uses the Python that calls it."""
    return {**os.environ, "MOD_WSGI_RS_PYTHON_HOME": sys.prefix}


def _path_without_scripts():
    """PATH without the directory of this Python's scripts, whose `mod-wsgi-rs` is this package."""
    own = os.path.dirname(os.path.abspath(sys.executable))
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if os.path.abspath(folder or ".") != own)


def main(arguments=None):
    """The console script: becomes the command."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        program = command()
        os.execve(program, [program, *arguments], environment())
    except OSError as error:
        sys.exit(f"mod-wsgi-rs: error: {error}")


def start(*arguments):
    """Runs `start-server` with these arguments in the place of this process."""
    main(["start-server", *arguments])
