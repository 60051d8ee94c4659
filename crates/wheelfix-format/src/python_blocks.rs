//! The blocks of a Python source, in one pass: on which line an offset is, and whether what stands there
//! goes on where a library is missing.

/// Words in a handler that catches the `OSError` of a library that is missing.
const CATCHING: [&str; 6] = [
    "OSError",
    "Exception",
    "BaseException",
    "IOError",
    "EnvironmentError",
    "except:",
];

/// The lines of a source.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// The offset of the first byte of each line.
    starts: Vec<usize>,
    /// For each line whether it is in a block that goes on where a library is missing, looking no
    /// further than the function that it is in.
    guarded: Vec<bool>,
}

/// A line that is not blank.
struct Line<'a> {
    /// Counts from 0.
    number: usize,
    /// Bytes of white space before the code.
    indent: usize,
    code: &'a str,
}

impl Blocks {
    /// Reads a source whose comments and literals are blanked.
    pub(crate) fn new(source: &str) -> Self {
        let (mut starts, mut lines) = (Vec::new(), Vec::new());
        let mut at = 0;
        for (number, text) in source.split('\n').enumerate() {
            starts.push(at);
            at += text.len() + 1;
            let code = text.trim_start();
            if !code.is_empty() {
                lines.push(Line {
                    number,
                    indent: text.len() - code.len(),
                    code: code.trim_end(),
                });
            }
        }
        let mut guarded = vec![false; starts.len()];
        // The blocks that are open: how far their first lines are indented, and whether what is in
        // them is guarded.
        let mut open: Vec<(usize, bool)> = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            while open.pop_if(|(indent, _)| line.indent <= *indent).is_some() {}
            let is_guarded = open.last().is_some_and(|(_, guarded)| *guarded);
            if let Some(guarded) = guarded.get_mut(line.number) {
                *guarded = is_guarded;
            }
            let below = lines.get(index + 1..).unwrap_or_default();
            open.push((line.indent, line.guards(is_guarded, below)));
        }
        Self { starts, guarded }
    }

    /// The number of the line that an offset is on, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Whether what stands at an offset is in a block that goes on where a library is missing.
    pub(crate) fn is_guarded(&self, at: usize) -> bool {
        let line = self.line(at).saturating_sub(1);
        self.guarded.get(line).copied().unwrap_or_default()
    }
}

impl Line<'_> {
    /// Whether the block that this line begins is guarded, if the line itself is or is not.
    fn guards(&self, is_guarded: bool, below: &[Line<'_>]) -> bool {
        let code = self.code;
        if ["def ", "async def ", "class "]
            .iter()
            .any(|word| code.starts_with(word))
        {
            return false;
        }
        let suppresses = code.starts_with("with ") && code.contains("suppress(");
        is_guarded || suppresses || code == "try:" && self.is_caught(below)
    }

    /// Whether a handler of this `try` catches what a missing library raises.
    fn is_caught(&self, below: &[Line<'_>]) -> bool {
        let mut handlers = below
            .iter()
            .filter(|line| line.indent <= self.indent)
            .take_while(|line| {
                let words = ["except", "else", "finally"];
                line.indent == self.indent && words.iter().any(|word| line.code.starts_with(word))
            });
        handlers.any(|line| {
            line.code.starts_with("except") && CATCHING.iter().any(|word| line.code.contains(word))
        })
    }
}
