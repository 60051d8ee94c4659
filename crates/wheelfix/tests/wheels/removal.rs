//! One thing less, at random, of wheels of the small set.

use wheelfix_testkit::cache;

use crate::less::Store;

#[test]
fn the_proof_fails_where_the_loader_does() {
    let names = ["numpy", "greenlet", "pillow", "ruff", "cmake"];
    Store::new(&names.map(cache::wheel)).lose(0..30);
}
