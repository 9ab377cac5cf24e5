//! From a URL to a script and the process and application group that run it.
