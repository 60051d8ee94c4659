//! Files at URLs, fetched by curl, which has the certificates, proxies and `.netrc` of its user.
//!
//! All that is asked goes to curl through a pipe, not on its command line, which everybody may read. Users and
//! passwords go to the host that they are for, and to none that it redirects to: curl sees to that.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use wheelfix_lock::public_url;

/// A user and a password, which are never printed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A file to fetch.
#[derive(Debug)]
pub(crate) struct Request {
    /// Where it is; nobody's name is in it.
    pub(crate) url: String,
    /// Whom its host shall take us for; else `.netrc` says that.
    pub(crate) user: Option<Secret>,
    /// The types of an answer that are understood.
    pub(crate) accept: Option<&'static str>,
    /// Longest answer.
    pub(crate) max_len: u64,
    /// Where it is written.
    pub(crate) file: PathBuf,
}

impl Request {
    /// The URL as messages have it: a query may hold secrets, too.
    pub(crate) fn shown(&self) -> String {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        self.url.get(..end).unwrap_or_default().to_owned()
    }
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status, 0 if there is no answer.
    pub(crate) status: u16,
    /// Where it came from in the end, without users and passwords.
    pub(crate) url: String,
    /// Why the file is not there, if it is not.
    pub(crate) failure: Option<String>,
}

/// Why nothing can be fetched at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CurlError {
    /// curl is not there.
    #[error("curl fetches files, and cannot be run")]
    Start(#[source] io::Error),
    /// It ended without answers.
    #[error("curl gave no answers: {0}")]
    Failed(ExitStatus),
    /// A URL of another kind.
    #[error("`{0}` is not fetched: only https:// and http:// are")]
    Scheme(String),
    /// A file, a URL or a password with something that no line can hold.
    #[error("a URL, a password or a path has a control character")]
    Control,
}

/// Fetches files, several at a time; the answers are in the order of the requests.
#[expect(clippy::disallowed_methods, reason = "curl is the client")]
pub(crate) fn fetch(requests: &[Request]) -> Result<Vec<Answer>, CurlError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let config = config(requests)?;
    let mut command = Command::new("curl");
    // `.curlrc` may ask for less security.
    command.args(["--disable", "--config", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command
        .stderr(Stdio::null())
        .spawn()
        .map_err(CurlError::Start)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends early tells that by its answers.
        stdin.write_all(config.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(CurlError::Start)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut answers: Vec<Option<Answer>> = requests.iter().map(|_| None).collect();
    for line in text.lines() {
        if let Some((number, answer)) = answer(line)
            && let Some(place) = answers.get_mut(number)
        {
            *place = Some(answer);
        }
    }
    let answers: Option<Vec<Answer>> = answers.into_iter().collect();
    answers.ok_or(CurlError::Failed(output.status))
}

/// The line that [`config`] asks for: number, status, code of curl's own, URL, message.
fn answer(line: &str) -> Option<(usize, Answer)> {
    let mut parts = line.splitn(5, '\t');
    let number = parts.next()?.parse().ok()?;
    let status = parts.next()?.parse().ok()?;
    let code = parts.next()?;
    let url = public_url(parts.next()?).into_owned();
    let message = parts.next()?;
    let failure = (code != "0").then(|| match status {
        0 | 200..=299 => message.to_owned(),
        status => format!("status {status}"),
    });
    let answer = Answer {
        status,
        url,
        failure,
    };
    Some((number, answer))
}

/// The requests as a file of options.
fn config(requests: &[Request]) -> Result<String, CurlError> {
    let netrc = std::env::var_os("NETRC").map(PathBuf::from);
    let mut text = String::from("parallel\nparallel-max = 16\n");
    for (number, request) in requests.iter().enumerate() {
        let redirected = if request.url.starts_with("https://") {
            "=https"
        } else if request.url.starts_with("http://") {
            "=https,http"
        } else {
            return Err(CurlError::Scheme(request.shown()));
        };
        if number != 0 {
            text.push_str("next\n");
        }
        text.push_str(
            "silent\nfail\ngloboff\nlocation\nmax-redirs = 10\nproto = \"=https,http\"\nconnect-timeout = 30\n\
             speed-limit = 1\nspeed-time = 60\nretry = 2\n",
        );
        let mut option = |name: &str, value: &str| -> Result<(), CurlError> {
            text.extend([name, " = ", &quoted(value)?, "\n"]);
            Ok(())
        };
        option("proto-redir", redirected)?;
        option("url", &request.url)?;
        option("output", path_text(&request.file)?)?;
        option("max-filesize", &request.max_len.to_string())?;
        if let Some(accept) = request.accept {
            option("header", &format!("Accept: {accept}"))?;
        }
        match (&request.user, &netrc) {
            (Some(Secret(user)), _) => option("user", user)?,
            (None, Some(netrc)) => option("netrc-file", path_text(netrc)?)?,
            (None, None) => {}
        }
        text.push_str("netrc-optional\n");
        let line = "%{http_code}\\t%{exitcode}\\t%{url_effective}\\t%{errormsg}\\n";
        text.extend(["write-out = \"", &number.to_string(), "\\t", line, "\"\n"]);
    }
    Ok(text)
}

fn path_text(path: &Path) -> Result<&str, CurlError> {
    path.to_str().ok_or(CurlError::Control)
}

/// A value as curl's files have it.
fn quoted(value: &str) -> Result<String, CurlError> {
    if value.chars().any(char::is_control) {
        return Err(CurlError::Control);
    }
    Ok(format!(
        "\"{}\"",
        value.replace('\\', "\\\\").replace('"', "\\\"")
    ))
}
