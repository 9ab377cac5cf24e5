"""What is importable as `mod_wsgi` where the original package is not installed.

In processes of the server itself `mod_wsgi` is a module of the server, which takes over this
package's path.
"""

from mod_wsgi_rs import main, start  # noqa: F401
