//! Integration suite: real httpd, real CPython, real clients; one module per part of the contract.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod access;
mod applications;
mod auth;
mod buffers;
mod chroot;
mod directives;
mod dispatch;
mod environ;
mod environment;
mod events;
mod examples;
mod failing_groups;
mod faults;
mod files;
mod first_run;
mod handler;
mod handler_scripts;
mod hello;
mod input;
mod interpreters;
mod kept;
mod limits;
mod log_handler;
mod many;
mod mapping;
mod merging;
mod metrics;
mod output;
mod ownership;
mod processes;
mod proxies;
mod python_module;
mod python_options;
mod pythons;
mod refused;
mod regression;
mod reload;
mod restarts;
mod restrict;
mod review;
mod rolling;
mod rows;
mod server_metrics;
mod service;
mod signals;
mod slow_clients;
mod start_response;
mod storm;
mod streams;
mod timers;
mod tls;
mod uploads;
