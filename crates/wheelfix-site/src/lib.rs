//! Install wheels into a prefix and assemble site-packages: one pipeline.
