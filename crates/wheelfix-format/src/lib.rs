//! Parse, edit and print the text formats of Python packaging. No I/O.

mod python_version;

pub use python_version::{PythonVersion, PythonVersionError};
