//! Read an ELF file's dynamic linking data and edit it in place; verify the result. Knows no Python.
