//! Integration suite: real httpd, real CPython, real clients; one module per part of the contract.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod applications;
mod directives;
mod environ;
mod faults;
mod files;
mod handler;
mod hello;
mod input;
mod mapping;
mod output;
mod processes;
mod reload;
mod start_response;
mod streams;
mod tls;
