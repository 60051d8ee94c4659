//! A wheel or sdist as a validated value: open, inspect, unpack.
