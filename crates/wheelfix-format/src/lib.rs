//! Parse, edit and print the text formats of Python packaging. No I/O.
//!
//! Each format is a type in a file of its own, with its parser, its printer, its errors and its
//! tests. What can be edited keeps its text, so that printing an untouched value gives the bytes that
//! were parsed:
//!
//! ```
//! use wheelfix_format::WheelFilename;
//!
//! let text = "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl";
//! let filename: WheelFilename = text.parse()?;
//! assert_eq!(filename.name().as_str(), "numpy");
//! assert_eq!(filename.tags().iter().count(), 2);
//! assert_eq!(filename.to_string(), text);
//! # Ok::<(), wheelfix_format::WheelFilenameError>(())
//! ```

mod build_tag;
mod entry_points;
mod file_names;
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod library_name;
mod marker;
mod metadata;
mod metadata_edit;
mod package_name;
mod pattern;
mod pyproject;
mod python_file;
mod python_opener;
mod python_preamble;
mod python_source;
mod python_text;
mod python_version;
mod record;
mod requirement;
mod runtime_deps;
mod sdist_filename;
mod tag;
mod tag_fit;
mod target;
mod target_name;
mod wheel_file;
mod wheel_filename;

pub use pep440_rs::{Version, VersionSpecifiers};

pub use build_tag::{BuildTag, BuildTagError};
pub use entry_points::{
    EntryPoint, EntryPointOddity, EntryPoints, EntryPointsError, ObjectReference, Script,
    ScriptKind,
};
pub use file_names::{has_sdist_name, is_wheel_name};
pub use headers::{Field, Headers};
pub use library_name::{LibraryName, is_library_name, library_in};
pub use marker::{Marker, MarkerEnvironment, MarkerError, MarkerSets};
pub use metadata::{Metadata, MetadataError, MetadataOddity};
pub use metadata_edit::{Change, EditAction, EditedMetadata, MetadataEdit, NamePattern, Selector};
pub use package_name::{PackageName, PackageNameError};
pub use pattern::{Pattern, PatternError};
pub use pyproject::{BuildSystem, BuildSystemError};
pub use python_file::is_python_source;
pub use python_opener::LibraryUse;
pub use python_preamble::first_statement;
pub use python_source::{
    AskedLibrary, PythonImport, PythonLoad, SourceLoads, UnnamedLoad, may_open_libraries,
    python_call, python_import, python_loads, source_loads,
};
pub use python_version::{PythonVersion, PythonVersionError};
pub use record::{
    HashAlgorithm, ReadRecord, Record, RecordError, RecordHash, RecordOddity, RecordRow,
};
pub use requirement::{Constraint, Requirement, RequirementError};
pub use runtime_deps::UnmetDependency;
pub use sdist_filename::{SdistFilename, SdistFilenameError, SdistFormat};
pub use tag::{Tag, TagError, TagSet};
pub use tag_fit::{PlatformTag, RankedTags, TagMismatch};
pub use target::{Implementation, Libc, Target};
pub use target_name::TargetNameError;
pub use wheel_file::{WheelFile, WheelFileError, WheelFileOddity};
pub use wheel_filename::{WheelFilename, WheelFilenameError};
