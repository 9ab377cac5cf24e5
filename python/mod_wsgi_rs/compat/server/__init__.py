"""Stands for mod_wsgi.server, the older name of mod_wsgi.express."""

import warnings

from mod_wsgi_rs import main, start  # noqa: F401
from mod_wsgi_rs.reloader import start_reloader, track_changes  # noqa: F401

warnings.warn("mod_wsgi.server is now mod_wsgi.express", FutureWarning, stacklevel=2)
