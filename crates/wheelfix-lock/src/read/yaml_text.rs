//! YAML as lock files have it: one document of maps, lists and texts.
//!
//! Numbers stay texts, for a version is none. Anchors, which writers of lock files have no use for, are
//! refused: what refers to them may be much larger than the file.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::fault::{Fault, Problem};
use crate::read::unknown_keys::UnknownKeys;

/// Deepest nesting, which takes a part of the stack for each level once it is read.
const MAX_DEPTH: usize = 32;

/// A map or a list that is not at its end.
enum Open {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

/// The document.
pub(crate) fn read(text: &str) -> Result<Value, Box<Fault>> {
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut document = None;
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| syntax(*error.marker(), error.info()))?;
        let value = match event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return Err(syntax(span.start, "an anchor, which no lock file has"));
            }
            Event::Alias(_) => {
                return Err(syntax(span.start, "an alias, which no lock file has"));
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if MAX_DEPTH <= open.len() => {
                return Err(syntax(span.start, "nested deeper than any lock file"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Value::Array(list),
                Some(Open::Map(map, _)) => Value::Object(map),
                None => continue,
            },
            Event::Scalar(text, style, ..) => scalar(text, style),
            Event::DocumentStart(_) if document.is_some() => {
                return Err(syntax(span.start, "a second document"));
            }
            _ => continue,
        };
        put(&mut open, &mut document, value).map_err(|message| syntax(span.start, &message))?;
    }
    Ok(document.unwrap_or_default())
}

/// The document, and its version, which has to be one of those that are known.
pub(crate) fn read_versioned(
    text: &str,
    known: &[&str],
    expected: &'static str,
) -> Result<(Value, String), Box<Fault>> {
    let document = read(text)?;
    let version = document.get("version").and_then(Value::as_str);
    let version = version.unwrap_or("none").to_owned();
    if known.contains(&&*version) {
        return Ok((document, version));
    }
    let got = format!("version {version}");
    let problem = Problem::FormatVersion { expected, got };
    Err(Box::new(Fault::at("version", problem)))
}

/// Adds a value to what is open, or takes it for the document.
fn put(open: &mut [Open], document: &mut Option<Value>, value: Value) -> Result<(), String> {
    match open.last_mut() {
        None => *document = Some(value),
        Some(Open::List(list)) => list.push(value),
        Some(Open::Map(map, key)) => match key.take() {
            Some(key) => {
                map.insert(key, value);
            }
            None => match value {
                Value::String(name) if map.contains_key(&name) => {
                    return Err(format!("the key `{name}` is there twice"));
                }
                Value::String(name) => *key = Some(name),
                _ => return Err("expected a text as key".to_owned()),
            },
        },
    }
    Ok(())
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    match (&*text, style) {
        ("" | "~" | "null", ScalarStyle::Plain) => Value::Null,
        ("true", ScalarStyle::Plain) => Value::Bool(true),
        ("false", ScalarStyle::Plain) => Value::Bool(false),
        _ => Value::String(text.into_owned()),
    }
}

fn syntax(at: Marker, message: &str) -> Box<Fault> {
    Box::new(Fault::of_file(Problem::Syntax {
        line: at.line(),
        column: at.col() + 1,
        message: message.to_owned(),
    }))
}

/// A part of the document, found at `key`; what nobody knows in it is noted.
pub(crate) fn shape<T: DeserializeOwned>(
    value: Value,
    key: &str,
    unknown: &mut UnknownKeys,
) -> Result<T, Box<Fault>> {
    let of = key.split('[').next().unwrap_or_default();
    let shaped = serde_ignored::deserialize(value, |path| unknown.add(of, &path));
    shaped.map_err(|error| Box::new(Fault::at(key, Problem::Structure(error.to_string()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match read(text) {
            Ok(value) => value.to_string(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn values_are_texts() {
        check(
            "a: 1.0\nb: '>=3'\nc: []\nd:\n- x: ''\n  y:\ne: true\nf: 'true'\n",
            r#"{"a":"1.0","b":">=3","c":[],"d":[{"x":"","y":null}],"e":true,"f":"true"}"#,
        );
        check("", "null");
        check("# none\n", "null");
        check("\"a\\u00e9\": >\n  b\n  c\n", "{\"aé\":\"b c\\n\"}");
    }

    #[test]
    fn odd_files_are_refused() {
        check(
            "a: b: c\n",
            "line 1, column 5: mapping values are not allowed in this context",
        );
        check(
            "a: &x [1]\nb: *x\n",
            "line 1, column 4: an anchor, which no lock file has",
        );
        check(
            "a: 1\na: 2\n",
            "line 2, column 1: the key `a` is there twice",
        );
        check("[1]: 2\n", "line 1, column 3: expected a text as key");
        check("a: 1\n---\nb: 1\n", "line 2, column 1: a second document");
        check(
            &"[".repeat(100),
            "line 1, column 33: nested deeper than any lock file",
        );
        check(
            &"- ".repeat(100_000),
            "line 1, column 65: nested deeper than any lock file",
        );
    }
}
