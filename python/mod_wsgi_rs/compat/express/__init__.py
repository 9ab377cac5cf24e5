"""Stands for mod_wsgi.express; also a Django application with the command runmodwsgi."""

from mod_wsgi_rs import main, start  # noqa: F401
