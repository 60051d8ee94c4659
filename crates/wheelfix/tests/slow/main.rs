//! Runs the binary as a user does, where that takes a while.
#![cfg(test)]

mod adversity;
mod browser;
mod jail;
mod mutants;
mod patchelf;
mod patchelf_refused;
mod resources;
mod scale;
#[path = "../it/scene.rs"]
mod scene;
mod steps;
#[path = "../it/support.rs"]
mod support;
mod verify;
