//! Build wheels, sdists, hostile archives and small ELF files for tests, with other tools than ours.
