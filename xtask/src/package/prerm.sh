#!/bin/sh
# Without its files the enabled module would keep httpd from starting.
set -e

if [ "$1" = remove ] && [ -e "${DPKG_ROOT:-}/etc/apache2/mods-enabled/wsgi_rs.load" ] && command -v a2dismod >/dev/null; then
    a2dismod -q -m -f wsgi_rs
    echo "wsgi_rs is disabled; a running apache2 keeps it until it is restarted."
fi

# What Python has compiled is not dpkg's.
if [ -z "$DPKG_ROOT" ] && command -v py3clean >/dev/null; then
    py3clean -p libapache2-mod-wsgi-rs
fi

exit 0
