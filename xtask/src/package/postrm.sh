#!/bin/sh
# What a2enmod and a2dismod have noted about the module goes with its configuration.
set -e

if [ "$1" = purge ]; then
    for state in enabled_by_admin enabled_by_maint disabled_by_admin disabled_by_maint; do
        rm -f "${DPKG_ROOT:-}/var/lib/apache2/module/$state/wsgi_rs"
    done
fi

exit 0
