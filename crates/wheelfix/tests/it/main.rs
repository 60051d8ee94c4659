//! Runs the binary as a user does.
#![cfg(test)]

mod backends;
mod builder;
mod check;
mod env;
mod foreign_text;
mod graph;
mod hook;
mod inspect;
mod install;
mod patch_wheel;
mod processes;
mod reality;
mod relax;
mod replace;
mod support;
mod unbundle;
mod unpack;
mod wishes;
