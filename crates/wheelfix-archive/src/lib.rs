//! Read zip and tar safely and in parallel; the only place where a member name becomes a path.
