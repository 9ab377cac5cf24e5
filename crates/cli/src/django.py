"""Says what a server must know of a Django project, as JSON on the last line of its output."""

import json
import os
import re
import sys

folder = sys.argv[1]
sys.path.insert(0, folder)
os.chdir(folder)

if "DJANGO_SETTINGS_MODULE" not in os.environ:
    with open("manage.py", encoding="utf-8") as file:
        found = re.search(r"""DJANGO_SETTINGS_MODULE['"](?:\s*,|\]\s*=)\s*['"]([\w.]+)""", file.read())
    if found is None:
        sys.exit("manage.py does not set DJANGO_SETTINGS_MODULE; set it in the environment")
    os.environ["DJANGO_SETTINGS_MODULE"] = found.group(1)

try:
    from django.conf import settings

    target = settings.WSGI_APPLICATION
except ImportError as error:
    sys.exit(f"{error}; name the Python that has it with --python-home")
if not target:
    sys.exit("the settings of the project have no WSGI_APPLICATION; set it")
module, _, name = target.rpartition(".")
static = None
url = settings.STATIC_URL
middleware = list(settings.MIDDLEWARE or [])
if url and url.startswith("/") and settings.STATIC_ROOT and not any("whitenoise" in one for one in middleware):
    static = [url, str(settings.STATIC_ROOT)]
answer = {
    "module": module,
    "callable": name,
    "settings": os.environ["DJANGO_SETTINGS_MODULE"],
    "static": static,
}
print(json.dumps(answer))
