//! One thing less, at random, of the small and the CUDA set.

use wheelfix_testkit::cache;

use crate::less::Store;

#[test]
fn the_proof_of_the_small_set_fails_where_the_loader_does() {
    Store::new(&cache::wheels("small")).lose(1000..1200);
}

#[test]
fn the_proof_of_the_cuda_set_fails_where_the_loader_does() {
    let wheels: Vec<_> = ["small", "cuda"]
        .iter()
        .flat_map(|set| cache::wheels(set))
        .collect();
    // bitsandbytes works with torch, which comes later in the list.
    let (last, mut first): (Vec<_>, Vec<_>) = wheels
        .into_iter()
        .partition(|wheel| wheel.to_string_lossy().contains("bitsandbytes"));
    first.extend(last);
    Store::new(&first).lose(2000..2100);
}
