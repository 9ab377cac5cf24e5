"""Makes the database with its site, for everybody to write; run once per test run."""

import os
import sys

os.umask(0)
HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("var", "db", "blobs"):
    os.makedirs(os.path.join(HERE, folder))

import transaction  # noqa: E402
import Zope2  # noqa: E402

sys.path.insert(0, HERE)
import zope_site  # noqa: E402, F401
from zope_content import Site  # noqa: E402

application = Zope2.app()
application._setObject("site", Site())
transaction.commit()
application._p_jar.close()

# What the umask does not govern: SQLite has its own idea of permissions.
for folder, _, files in os.walk(HERE):
    for name in files:
        path = os.path.join(folder, name)
        os.chmod(path, os.stat(path).st_mode | 0o666)
