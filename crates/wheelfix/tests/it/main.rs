//! Runs the binary as a user does.
#![cfg(test)]

mod inspect;
mod install;
mod support;
mod unpack;
