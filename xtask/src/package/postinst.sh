#!/bin/sh
# Enables the module at the first installation, unless mod_wsgi is enabled: the two cannot be loaded
# together. A running httpd is left alone: it takes the module when it is restarted.
set -e

if [ "$1" = configure ] && [ -z "$DPKG_ROOT" ] && command -v py3compile >/dev/null; then
    py3compile -p libapache2-mod-wsgi-rs
fi

if [ "$1" = configure ] && [ -z "$2" ] && command -v a2enmod >/dev/null; then
    if [ -e "${DPKG_ROOT:-}/etc/apache2/mods-enabled/wsgi.load" ]; then
        echo "mod_wsgi is enabled: to change over, run a2dismod wsgi && a2enmod wsgi_rs and restart apache2."
    else
        a2enmod -q -m wsgi_rs
        echo "wsgi_rs is enabled; restart apache2 when it suits you."
    fi
fi

exit 0
