//! The engine in a real CPython, with an exchange in memory instead of httpd.

mod requests;
mod support;
