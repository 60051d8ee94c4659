//! The dynamic loader simulated: what glibc's and musl's `ld.so` find, admit and bind, without running anything.
//!
//! A [`Target`] is the system whose loader is asked, a [`FileView`] the files as they will lie there. A [`Process`] grows as
//! objects are opened in it and says for each need which file satisfies it, or why none does; [`SymbolTables`] and [`Scope`]
//! say which symbols then stay undefined. Libraries that the machine at hand lacks and the target has are named by whoever
//! asks: [`Provided`].

mod abi;
mod absolute;
mod causes;
mod file_view;
mod ld_cache;
mod minimum_versions;
mod object;
mod place;
mod read;
mod run_path;
mod simulate;
mod stop;
mod symbols;
mod system_dirs;
mod target;

pub use abi::Abi;
pub use absolute::{absolute_path, existing_path, real_path};
pub use causes::with_causes;
pub use file_view::{FileKey, FileView, ViewedFile};
pub use ld_cache::LdCache;
pub use minimum_versions::{MinimumVersion, MinimumVersions};
pub use object::{ContentId, DF_1_NODEFLIB, DlopenNote, LoadConditions, Object, VersionNeed};
pub use place::Place;
pub use read::{ReadOutcome, STATIC, content_of, object_of, open_elf, read_object};
pub use run_path::{PathKind, RunPath, Tokens, has_token, normalize, origin_relative};
pub use simulate::admission::runs_on;
pub use simulate::process::{Loaded, Outcome, Process};
pub use simulate::provided::{FilesAlone, Provided};
pub use simulate::trace::{Event, Trace};
pub use stop::{Cure, Stop};
pub use symbols::{Scope, SymbolTables, Undefined, provider, read_table};
pub use target::interpreter::{Loader, LoaderError, interpreter_fault};
pub use target::system::System;
pub use target::{LoaderKind, NamedTarget, STORE, Target};
