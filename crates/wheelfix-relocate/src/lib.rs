//! Which file satisfies which need: library index, rules, the loader's search order, RPATH plans, the closure proof, and why.
