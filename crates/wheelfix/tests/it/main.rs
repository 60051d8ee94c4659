//! Runs the binary as a user does.
#![cfg(test)]

mod install;
mod support;
mod unpack;
