//! Tests with the wheels and source distributions of many projects: `cargo xtask wheels fetch --set
//! full` brings them.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests run programs")]

mod environment;
mod first_minutes;
mod interruption;
#[path = "../it/kills.rs"]
mod kills;
#[path = "../wheels/less.rs"]
mod less;
mod named_libraries;
mod named_library;
mod nixos;
mod own_prefixes;
mod popular;
#[path = "../wheels/programs.rs"]
mod programs;
mod removal;
mod rodeo;
mod run;
#[path = "../it/scene.rs"]
mod scene;
mod sdists;
mod suites;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "what the other tests need")]
mod support;
mod targets;
#[path = "../wheels/tree.rs"]
mod tree;
mod unbundle;
mod venv;
#[path = "../wheels/venv_project.rs"]
mod venv_project;
#[path = "../wheels/ways.rs"]
mod ways;
