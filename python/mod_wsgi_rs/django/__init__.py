"""Django application with the command `runmodwsgi`: add `mod_wsgi_rs.django` to INSTALLED_APPS."""
