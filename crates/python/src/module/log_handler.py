"""`mod_wsgi.LogHandler`; run by log_handler.rs when an application asks for it first.

It is a file of its own because it imports logging, which many applications do without. Given by
log_handler.rs: `_accepts(level)`, whether httpd would write a record of a level (its own number),
and `_write(level, text, file, line)`.
"""

import logging

# httpd's numbers of the levels, for the Python levels from here on.
_LEVELS = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7


class LogHandler(logging.Handler):
    """Writes to httpd's error log, at the level that corresponds to the record's.

    In a thread that serves a request, to the log of that request. What LogLevel would drop is not
    formatted. Each line of the text is a record; ``%F`` in ErrorLogFormat shows where it comes from.
    """

    def emit(self, record):
        """Writes one record."""
        try:
            level = next((level for least, level in _LEVELS if record.levelno >= least), _DEBUG)
            if _accepts(level):  # noqa: F821
                _write(level, self.format(record), record.pathname, record.lineno)  # noqa: F821
        except RecursionError:  # as the handlers of logging itself do
            raise
        except Exception:
            self.handleError(record)
