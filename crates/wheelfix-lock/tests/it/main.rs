//! Lock files of real tools, against what these tools and Python's `packaging` say.
#![cfg(test)]

mod bad;
mod choice;
mod conda;
mod document;
mod fresh;
mod markers;
mod others;
mod packaging;
mod pipfile;
mod poetry;
mod properties;
mod pylock;
mod requirements;
mod selections;
mod shapes;
mod support;
mod uv;
