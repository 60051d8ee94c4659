//! Runs the binary as a user does.
#![cfg(test)]

mod accounting;
mod backends;
mod builder;
mod check;
mod check_wheels;
mod damaged_libraries;
mod env;
mod excuses;
mod exit_codes;
mod foreign_text;
mod graph;
mod hook;
mod inspect;
mod install;
mod links;
mod merge;
mod needed_paths;
mod odds;
mod optional;
mod patch_wheel;
mod processes;
mod programs;
mod reality;
mod relax;
mod remedies;
mod replace;
mod scripts;
mod spelling;
mod strays;
mod support;
mod unbundle;
mod unpack;
mod wheel_options;
