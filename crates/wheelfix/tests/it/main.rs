//! Runs the binary as a user does.
#![cfg(test)]

mod check;
mod inspect;
mod install;
mod support;
mod unpack;
