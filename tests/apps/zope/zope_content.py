"""What the Zope of the suite publishes."""

import os
import threading
import time

from OFS.SimpleItem import SimpleItem
from ZODB.blob import Blob
from ZODB.POSException import ConflictError
from ZPublisher.Iterators import filestream_iterator

#: 2,600,000 bytes.
BYTES = bytes(range(256)) * 10156 + b"\0" * 64

attempts = {}
lock = threading.Lock()
inside = 0


class Site(SimpleItem):
    """A site of a few pages; what has a docstring is published."""

    meta_type = "Site of the suite"

    def __init__(self):
        self.id = "site"
        self.count = 0
        self.blob = Blob(BYTES)

    def hello(self):
        """A page with an address."""
        return "Hello from %s" % self.absolute_url()

    def pid(self):
        """The process that answers."""
        return str(os.getpid())

    def inside(self):
        """How many requests are in this process just now."""
        global inside
        with lock:
            inside += 1
        time.sleep(0.02)
        with lock:
            found, inside = inside, inside - 1
        return str(found)

    def increment(self):
        """Counts up: whoever does that at the same time is in conflict."""
        self.count += 1
        return str(self.count)

    def value(self):
        """The count."""
        return str(self.count)

    def conflict(self, key, REQUEST):
        """Answers when it runs for the third time, with the body it was sent."""
        attempts[key] = attempts.get(key, 0) + 1
        if attempts[key] < 3:
            raise ConflictError("attempt %d" % attempts[key])
        return "%d %s" % (attempts[key], REQUEST.form["text"])

    def file(self, REQUEST):
        """The blob, as the file it is."""
        name = self.blob.committed()
        REQUEST.RESPONSE.setHeader("Content-Type", "application/octet-stream")
        REQUEST.RESPONSE.setHeader("Content-Length", str(os.path.getsize(name)))
        return filestream_iterator(name, "rb")
