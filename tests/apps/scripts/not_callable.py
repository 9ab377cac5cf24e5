"""Has a callable that is none."""

application = 42
