//! Tests with real wheels: `cargo xtask wheels fetch` brings them.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests run programs")]

mod agreement;
mod bed;
mod environment;
mod first_run;
mod less;
mod nixos;
mod patch_wheel;
mod programs;
mod red;
mod removal;
mod same_tree;
mod transcripts;
mod tree;
mod unbundle;
mod venv;
mod venv_project;
mod ways;
