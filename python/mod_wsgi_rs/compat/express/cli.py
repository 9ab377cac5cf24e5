"""Stands for mod_wsgi.express.cli."""

from mod_wsgi_rs import main, start  # noqa: F401

if __name__ == "__main__":
    main()
