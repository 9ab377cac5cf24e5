# The module `apache` of mod_wsgi_rs as type checkers see it; docs/python-api.md explains it.

version: tuple[int, int, int]
description: str
mpm_name: str
build_date: str
maximum_processes: int
threads_per_process: int
