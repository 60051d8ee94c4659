//! The document that a command prints for machines.

use serde::Serialize;

/// A document with the version of its shape: the fields of the content beside it.
///
/// A version stays for as long as fields are only added.
///
/// ```
/// use wheelfix_inspect::Document;
///
/// #[derive(serde::Serialize)]
/// struct Counted {
///     files: usize,
/// }
///
/// let document = Document::new(Counted { files: 3 });
/// let text = serde_json::to_string(&document)?;
/// assert_eq!(text, r#"{"version":1,"files":3}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Document<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

impl<T: Serialize> Document<T> {
    /// The first version of a document; `content` is a struct, or an enum with a tag.
    pub const fn new(content: T) -> Self {
        Self {
            version: 1,
            content,
        }
    }
}
