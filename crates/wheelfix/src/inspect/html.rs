//! Reports as a page for a browser: one file, without scripts and without anything to fetch.
//!
//! Every text goes through `maud`, which escapes what HTML would obey, and those of strangers through
//! `clean` before, which escapes what would be obeyed or hidden elsewhere.

mod elf;
mod layout;
mod picture;
mod wheel;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use wheelfix_inspect::Report;
use wheelfix_loader::existing_path;

use crate::error::Error;
use crate::graph;
use crate::inspect::html::picture::Drawing;
use crate::inspect::text::{clean, count};
use crate::table::bytes;

/// The looks of the page. It holds no text of strangers.
const STYLE: &str = include_str!("html/page.css");

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[error("a page is a `.html` file, or `-` for standard output, got `{}`", .0.display())]
struct NoPage(PathBuf);

/// The graph of what was read; `None` where no file is ELF.
pub(super) fn drawing_of(
    subject: &Path,
    report: &Report,
    jobs: NonZeroUsize,
) -> Result<Option<Drawing>, Error> {
    match report {
        Report::Wheel(report) if report.elf_files.is_empty() => return Ok(None),
        Report::Directory(report) if report.elf_files.is_empty() => return Ok(None),
        Report::Sdist(_) => return Ok(None),
        Report::Wheel(_) | Report::Directory(_) | Report::Elf(_) => {}
    }
    let graph = graph::read(subject, jobs)?;
    let path = existing_path(subject)?;
    let root = match (report, path.parent()) {
        (Report::Directory(_), _) | (_, None) => path,
        (_, Some(directory)) => directory.to_owned(),
    };
    Ok(graph.map(|graph| Drawing::new(graph, root)))
}

/// Whether a file may be written as a page: a wheel that is named by mistake is not.
pub(super) fn check(file: &Path) -> Result<(), Error> {
    let is_page = file
        .extension()
        .is_some_and(|it| it == "html" || it == "htm");
    if is_page || file == Path::new("-") {
        Ok(())
    } else {
        Err(Error::refused(NoPage(file.to_owned())))
    }
}

/// The page of a report.
pub(super) fn render(report: &Report, drawing: Option<&Drawing>) -> String {
    page(report, drawing).into_string()
}

fn page(report: &Report, drawing: Option<&Drawing>) -> Markup {
    let (title, body) = match report {
        Report::Wheel(report) => wheel::page(report, drawing),
        Report::Sdist(report) => wheel::sdist_page(report),
        Report::Elf(report) => elf::file_page(report, drawing),
        Report::Directory(report) => elf::tree_page(report, drawing),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (body) }
                footer { "Made by " code { "wheelfix inspect" } " " (env!("CARGO_PKG_VERSION")) "." }
            }
        }
    }
}

/// The head of a page: its title, a line below it, and tiles of a name and a value.
fn head(title: &str, below: &str, tiles: &[(&str, String)]) -> Markup {
    html! {
        header {
            h1 { (title) }
            @if !below.is_empty() { p.below { (below) } }
            dl.tiles {
                @for (name, value) in tiles {
                    div { dt { (name) } dd { (value) } }
                }
            }
        }
    }
}

/// A section with a remark behind its heading.
fn section(id: &str, heading: &str, remark: &str, body: &Markup) -> Markup {
    html! {
        section id=(id) {
            h2 { (heading) @if !remark.is_empty() { " " small { (remark) } } }
            (body)
        }
    }
}

/// A table that is scrolled where it is wider than the page.
fn table<const N: usize>(heads: [&str; N], rows: &[[Markup; N]]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { @for head in heads { th { (head) } } } }
                tbody {
                    @for row in rows { tr { @for cell in row { td { (cell) } } } }
                }
            }
        }
    }
}

/// A name of a stranger.
fn code(text: &str) -> Markup {
    html! { code { (clean(text)) } }
}

/// Names of strangers, a line for each, the first few of them open.
fn codes(names: &[String]) -> Markup {
    const OPEN: usize = 3;
    let list = |names: &[String]| html! { @for name in names { code.path { (clean(name)) } } };
    match names.split_at_checked(OPEN) {
        Some((first, rest)) if 1 < rest.len() => html! {
            (list(first))
            details.inline { summary { "and " (count(rest.len(), "more", "more")) } (list(rest)) }
        },
        _ => list(names),
    }
}

/// Faults in red and warnings in yellow; says so where there are none.
fn notices(bad: &[(String, String)], odd: &[(String, String, Vec<String>)]) -> Markup {
    if bad.is_empty() && odd.is_empty() {
        return html! { p.good { "No faults and no warnings." } };
    }
    html! {
        ul.notices {
            @for (name, reason) in bad {
                li.bad { b { "fault" } " " (code(name)) ": " (clean(reason)) }
            }
            @for (name, message, paths) in odd {
                li.odd {
                    b { (clean(name)) } " " (clean(message)) " " (codes(paths))
                }
            }
        }
    }
}

/// Length of files, with a bar beside the longest.
fn size(len: u64, longest: u64) -> Markup {
    let percent = len.saturating_mul(100).checked_div(longest).unwrap_or(0);
    html! {
        span.size { (bytes(len)) }
        span.bar { span style=(format!("width:{}%", percent.min(100))) {} }
    }
}
