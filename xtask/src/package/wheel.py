"""Packs a folder as a wheel: a zip archive with a RECORD of its files."""

import base64
import hashlib
import os
import sys
import zipfile

root, target = sys.argv[1:]
paths = []
for folder, folders, names in os.walk(root):
    folders.sort()
    paths += [os.path.relpath(os.path.join(folder, name), root) for name in sorted(names)]
info = next(path.split(os.sep)[0] for path in paths if ".dist-info" in path)
record = []
with zipfile.ZipFile(target + ".new", "w", zipfile.ZIP_DEFLATED) as archive:

    def add(path, data, mode):
        # The same bytes whenever it is built.
        entry = zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100000 | mode) << 16
        archive.writestr(entry, data)

    # The information about a wheel comes last in it.
    for path in sorted(paths, key=lambda path: (path.startswith(info), path)):
        full = os.path.join(root, path)
        with open(full, "rb") as file:
            data = file.read()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(data)}\n")
        add(path, data, os.stat(full).st_mode & 0o777)
    record.append(f"{info}/RECORD,,\n")
    add(f"{info}/RECORD", "".join(record), 0o644)
os.replace(target + ".new", target)
