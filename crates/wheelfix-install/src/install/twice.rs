//! The same output made a second time, with another number of threads and in another place.

use std::num::NonZeroUsize;

use wheelfix_diff::{Listing, compare as compare_listings};

use crate::atomic::staging::Unpublished;
use crate::install::InstallRequest;
use crate::pipeline::error::PipelineError;

/// The request of the second making: on one thread, or on two if the first one was.
pub(crate) fn again(request: &InstallRequest) -> InstallRequest {
    let two = NonZeroUsize::MIN.saturating_add(1);
    let is_one = request.jobs == NonZeroUsize::MIN;
    InstallRequest {
        jobs: if is_one { two } else { NonZeroUsize::MIN },
        check_twice: false,
        ..request.clone()
    }
}

/// Compares what was made with what was made again; gives how many entries are the same in both, if all are.
pub(crate) fn compare<R>(
    made: &Unpublished<R>,
    again: &Unpublished<R>,
) -> Result<usize, PipelineError> {
    let listing = |made: &Unpublished<R>| Listing::of_directory(made.root());
    let comparison = compare_listings(&listing(made)?, &listing(again)?)?;
    if comparison.is_equal() {
        Ok(comparison.equal)
    } else {
        Err(PipelineError::MadeTwice(Box::new(comparison)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fs_err as fs;

    use super::*;
    use crate::atomic::staging::Staging;

    fn made(prefix: &Path, text: &str) -> Unpublished<()> {
        let staging = Staging::never(prefix, false).unwrap();
        fs::write(staging.root().join("same"), "").unwrap();
        fs::write(staging.root().join("file"), text).unwrap();
        Unpublished::new((), staging)
    }

    #[test]
    fn another_content_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("p");
        let (one, two) = (made(&prefix, "1"), made(&prefix, "2"));
        assert_eq!(compare(&one, &made(&prefix, "1")).unwrap(), 2);
        let error = compare(&one, &two).unwrap_err();
        assert_eq!(
            error.to_string(),
            "made a second time, the output has 1 other file"
        );
    }
}
