//! Editing files on disk: in place where that is safe, else by a copy and a rename.

mod apply;
mod attributes;
mod original;
mod patch;
mod temporary;

pub use apply::{Applied, ApplyError};
pub use original::Original;
pub use patch::{
    FileEdit, Method, Outcome, PatchError, open_regular, patch_file, patch_file_to, plan_file,
};
pub use temporary::{RANDOM_LEN, TEMPORARY, is_temporary, temporary_file};
