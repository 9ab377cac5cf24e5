"""manage.py runmodwsgi: this project under a private httpd, with the options of start-server."""

import os
import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

import mod_wsgi_rs


class Command(BaseCommand):
    """Becomes `mod-wsgi-rs start-server` for the project whose manage.py was called."""

    help = "Serves this project under Apache httpd. Takes every option of mod-wsgi-rs start-server."
    requires_system_checks = []

    def run_from_argv(self, argv):
        # Not argparse: the command's own options are the options, and its help is the help.
        project = _project(argv[0])
        # What the shell has set is what counts for everything else, too.
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings.SETTINGS_MODULE)
        sys.stdout.flush()
        mod_wsgi_rs.start("--application-type", "django", *argv[2:], project)

    def handle(self, *arguments, **options):
        # By call_command: options are words of the command line, as they are there.
        mod_wsgi_rs.start("--application-type", "django", *arguments, _project(sys.argv[0]))


def _project(program):
    """The directory of manage.py."""
    for folder in (os.path.dirname(os.path.abspath(program)), os.getcwd(), str(getattr(settings, "BASE_DIR", "."))):
        if os.path.isfile(os.path.join(folder, "manage.py")):
            return folder
    raise CommandError("no manage.py found: call runmodwsgi in the directory that has it")
