"""Gives `mod_wsgi.express` and `mod_wsgi.server` to programs that import them, as long as the original
package is not installed: a finder that is asked last, when nobody else knows the name.
"""

import os
import sys

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compat")


class _Finder:
    """Knows the one name `mod_wsgi`."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "mod_wsgi":
            return None
        import importlib.util

        return importlib.util.spec_from_file_location(
            name,
            os.path.join(_FOLDER, "__init__.py"),
            submodule_search_locations=[_FOLDER],
        )


def install():
    """Adds the finder, once."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
