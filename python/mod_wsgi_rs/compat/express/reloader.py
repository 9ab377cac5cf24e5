"""Stands for mod_wsgi.express.reloader."""

from mod_wsgi_rs.reloader import start_reloader, track_changes  # noqa: F401
