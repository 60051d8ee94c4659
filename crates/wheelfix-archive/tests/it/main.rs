//! What the crate promises to its users.
#![cfg(test)]

mod damage;
mod extract;
mod hostile;
mod open;
mod tar;
