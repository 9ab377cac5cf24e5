"""python -m mod_wsgi_rs is the command mod-wsgi-rs."""

from mod_wsgi_rs import main

main()
