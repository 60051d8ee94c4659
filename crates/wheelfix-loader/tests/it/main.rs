//! The steps of a real loader, beside those that are simulated.
#![cfg(test)]

mod glibc;
