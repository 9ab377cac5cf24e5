"""Fails when it is imported."""

raise RuntimeError("import fails")
