#!/bin/sh
# Without its files the enabled module would keep httpd from starting.
set -e

if [ "$1" = remove ] && [ -e "${DPKG_ROOT:-}/etc/apache2/mods-enabled/wsgi_rs.load" ] && command -v a2dismod >/dev/null; then
    a2dismod -q -m -f wsgi_rs
    echo "wsgi_rs is disabled; a running apache2 keeps it until it is restarted."
fi

exit 0
