//! The promises of the crate to its users.
#![cfg(test)]

mod damage;
mod extract;
mod hostile;
mod open;
mod tar;
