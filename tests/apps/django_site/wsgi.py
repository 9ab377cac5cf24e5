"""The WSGI script of the site, as `django-admin startproject` writes it."""

import os
import sys
from wsgiref.validate import validator

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["DJANGO_SETTINGS_MODULE"] = "django_site.settings"

from django.core.wsgi import get_wsgi_application  # noqa: E402

plain = get_wsgi_application()
application = validator(plain)
