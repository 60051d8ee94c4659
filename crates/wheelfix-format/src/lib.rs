//! Parse, edit and print the text formats of Python packaging. No I/O.
