//! The whole program on the embedded backend, in a directory of its own: no server is needed.

mod artwork_api;
mod bad_input;
mod clean_stop;
mod configuration;
mod console;
mod demo;
mod described;
mod encrypted;
mod examples;
mod files;
mod foreign_pages;
mod full_disk;
mod http_api;
mod http_pages;
mod keys;
mod late_catalogue;
mod operators;
mod operators_description;
mod order;
mod program;
mod read_while_running;
mod running;
mod stream_description;
mod taking_back;
