"""The same command under the older name of its application."""

from mod_wsgi_rs.django.management.commands.runmodwsgi import Command  # noqa: F401
