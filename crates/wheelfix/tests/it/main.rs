//! Runs the binary as a user does.
#![cfg(test)]

mod adversity;
mod install;
mod support;
