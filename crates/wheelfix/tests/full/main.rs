//! Tests with the wheels and source distributions of many projects: `cargo xtask wheels fetch --set
//! full` brings them.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests run programs")]

mod environment;
#[path = "../wheels/less.rs"]
mod less;
mod nixos;
mod own_prefixes;
mod popular;
#[path = "../wheels/programs.rs"]
mod programs;
mod removal;
mod rodeo;
mod run;
mod sdists;
mod suites;
#[path = "../wheels/tree.rs"]
mod tree;
mod unbundle;
#[path = "../wheels/ways.rs"]
mod ways;
