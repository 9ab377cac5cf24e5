"""A Django site with the admin, an upload, a stream and a file."""
