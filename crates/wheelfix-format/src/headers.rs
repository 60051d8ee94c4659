//! Header fields and a body, as in an e-mail: the syntax of `METADATA`, `PKG-INFO` and `WHEEL`.
//!
//! Read as Python's `email` package reads them, because that is what every consumer uses:
//! <https://packaging.python.org/en/latest/specifications/core-metadata/>.

use std::fmt;
use std::ops::Range;

/// Header fields and a body. Printing gives the text that was parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Headers {
    text: String,
    fields: Vec<FieldSpans>,
    /// Offset of the body in `text`; its end if there is none.
    body: usize,
    malformed_line: Option<usize>,
}

/// One field of [`Headers`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field<'a> {
    /// The name as written. Compare it without regard to case.
    pub name: &'a str,
    /// The value without the white space around it. A folded value keeps its line ends and indents.
    pub value: &'a str,
    /// The line of the name, counted from 1.
    pub line: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct FieldSpans {
    /// All lines of the field, the last line end included.
    lines: Range<usize>,
    name: Range<usize>,
    value: Range<usize>,
    line: usize,
}

impl Headers {
    /// Parses a text. Every text is legal: a line that is not a header begins the body.
    pub fn parse(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut fields: Vec<FieldSpans> = Vec::new();
        let (mut body, mut malformed_line) = (text.len(), None);
        let mut offset = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let span = offset..offset + line.len();
            offset = span.end;
            if line.starts_with([' ', '\t']) {
                if let Some(field) = fields.last_mut() {
                    field.lines.end = span.end;
                    field.value.end = span.end;
                    continue;
                }
            } else if let Some(name_len) = name_len(line) {
                fields.push(FieldSpans {
                    lines: span.clone(),
                    name: span.start..span.start + name_len,
                    value: span.start + name_len + 1..span.end,
                    line: index + 1,
                });
                continue;
            }
            if line.trim_end_matches(['\r', '\n']).is_empty() {
                body = span.end;
            } else {
                body = span.start;
                malformed_line = Some(index + 1);
            }
            break;
        }
        for field in &mut fields {
            field.value = trim(&text, field.value.clone());
        }
        Self {
            text,
            fields,
            body,
            malformed_line,
        }
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|spans| Field {
            name: self.slice(&spans.name),
            value: self.slice(&spans.value),
            line: spans.line,
        })
    }

    /// The value of the first field with this name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields();
        fields
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    }

    /// All fields with this name, whatever its case, in their order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Field<'a>> {
        self.fields()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// The text behind the empty line after the fields; empty if there is none.
    pub fn body(&self) -> &str {
        self.text.get(self.body..).unwrap_or_default()
    }

    /// The line, counted from 1, that is not a field and is not separated from the fields by an
    /// empty line. Readers take it as the beginning of the body, so fields behind it are lost.
    pub fn malformed_line(&self) -> Option<usize> {
        self.malformed_line
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, with the values of some fields replaced or their lines removed.
    ///
    /// `edit` gets each field and gives its edit; all other bytes stay.
    pub(crate) fn edited(&self, mut edit: impl FnMut(Field<'_>) -> FieldEdit) -> String {
        let mut text = String::with_capacity(self.text.len());
        let mut done = 0;
        for (spans, field) in self.fields.iter().zip(self.fields()) {
            let (cut, new) = match edit(field) {
                FieldEdit::Keep => continue,
                FieldEdit::Value(new) => (&spans.value, new),
                FieldEdit::Remove => (&spans.lines, String::new()),
            };
            text.push_str(self.slice(&(done..cut.start)));
            text.push_str(&new);
            done = cut.end;
        }
        text.push_str(self.slice(&(done..self.text.len())));
        text
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// The edit of a field.
pub(crate) enum FieldEdit {
    /// It stays as it is.
    Keep,
    /// It gets this value.
    Value(String),
    /// Its lines go away.
    Remove,
}

/// Length of the field name at the beginning of the line, if there is one: printable ASCII up to a
/// colon.
fn name_len(line: &str) -> Option<usize> {
    let colon = line.find(':')?;
    let name = line.get(..colon)?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())).then_some(colon)
}

fn trim(text: &str, span: Range<usize>) -> Range<usize> {
    let value = text.get(span.clone()).unwrap_or_default();
    let end = span.start + value.trim_end().len();
    let start = span.end - value.trim_start().len();
    start.min(end)..end
}

impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let headers = Headers::parse(text);
        let fields = headers
            .fields()
            .map(|Field { name, value, line }| format!("{line} {name}={value:?}\n"));
        let body = format!("body {:?}", headers.body());
        let malformed = headers
            .malformed_line()
            .map(|line| format!("\nmalformed {line}"));
        let got = fields
            .chain([body])
            .chain(malformed)
            .collect::<Vec<_>>()
            .concat();
        assert_eq!(got, want, "for {text:?}");
        assert_eq!(headers.to_string(), text);
    }

    #[test]
    fn fields_and_body_are_told_apart() {
        check(
            "A: 1\nB:2\n\nC: 3\n",
            "1 A=\"1\"\n2 B=\"2\"\nbody \"C: 3\\n\"",
        );
        check("A: 1\r\nB: 2\r\n\r\nx", "1 A=\"1\"\n2 B=\"2\"\nbody \"x\"");
        check("A: 1", "1 A=\"1\"\nbody \"\"");
        check("A:\n", "1 A=\"\"\nbody \"\"");
        check("", "body \"\"");
    }

    #[test]
    fn folded_values_keep_their_lines() {
        check(
            "A: 1\n  2\n \nB: 3\n",
            "1 A=\"1\\n  2\"\n4 B=\"3\"\nbody \"\"",
        );
    }

    #[test]
    fn a_line_that_is_no_field_begins_the_body() {
        check(
            "A: 1\noops\nB: 2\n",
            "1 A=\"1\"\nbody \"oops\\nB: 2\\n\"\nmalformed 2",
        );
        check(" indented\n", "body \" indented\\n\"\nmalformed 1");
        check(": 1\n", "body \": 1\\n\"\nmalformed 1");
    }

    #[test]
    fn an_edit_leaves_all_other_bytes() {
        let headers = Headers::parse("A:  1 \r\nB: 2\n x\nC: 3");
        let text = headers.edited(|field| match field.name {
            "A" => FieldEdit::Value("one".to_owned()),
            "B" => FieldEdit::Remove,
            _ => FieldEdit::Keep,
        });
        assert_eq!(text, "A:  one \r\nC: 3");
    }
}
