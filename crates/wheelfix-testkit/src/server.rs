//! A server on the loopback, as an index of packages is one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// An answer of a server.
#[derive(Clone, Debug)]
pub struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    user: Option<String>,
}

impl Page {
    /// A page that is there.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            user: None,
        }
    }

    /// A page that is elsewhere.
    pub fn moved(url: &str) -> Self {
        Self {
            status: 302,
            headers: vec![("Location".to_owned(), url.to_owned())],
            ..Self::new("")
        }
    }

    /// A page that cannot be given.
    pub fn failed(status: u16) -> Self {
        Self {
            status,
            ..Self::new("")
        }
    }

    /// The page for one user only, whose `user:password` in base64 this is.
    #[must_use]
    pub fn only_for(mut self, user: &str) -> Self {
        self.user = Some(format!("Basic {user}"));
        self
    }
}

/// A server with some pages.
#[derive(Debug)]
pub struct Server {
    port: u16,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// A server without pages, on a port that is free; it goes when the process ends.
    ///
    /// # Panics
    ///
    /// There is no loopback.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback");
        let server = Self {
            port: listener.local_addr().expect("an address").port(),
            pages: Arc::default(),
            log: Arc::default(),
        };
        let (pages, log) = (Arc::clone(&server.pages), Arc::clone(&server.log));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, log) = (Arc::clone(&pages), Arc::clone(&log));
                // Whoever goes away before the end does not matter.
                std::thread::spawn(move || serve(&stream, &pages, &log).ok());
            }
        });
        server
    }

    /// Adds a page, or replaces it.
    pub fn page(&self, path: &str, page: Page) {
        self.pages
            .lock()
            .expect("no panic")
            .insert(path.to_owned(), page);
    }

    /// The URL of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// Its name and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The requests since the last time, sorted: method, path and, if one was given, the user.
    pub fn asked(&self) -> Vec<String> {
        let mut log = std::mem::take(&mut *self.log.lock().expect("no panic"));
        log.sort();
        log
    }
}

fn serve(
    stream: &TcpStream,
    pages: &Mutex<BTreeMap<String, Page>>,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let mut user = None;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            user = Some(value.trim().to_owned());
        }
    }
    let mut entry = format!("{method} {path}");
    if let Some(user) = &user {
        write!(entry, " {user}").map_err(io::Error::other)?;
    }
    log.lock().expect("no panic").push(entry);
    let page = pages.lock().expect("no panic").get(&path).cloned();
    let page = page.unwrap_or_else(|| Page::failed(404));
    let page = if page.user.is_some() && page.user != user {
        Page::failed(401)
    } else {
        page
    };
    let mut head = format!(
        "HTTP/1.1 {} -\r\nContent-Length: {}\r\nConnection: close\r\n",
        page.status,
        page.body.len()
    );
    for (name, value) in &page.headers {
        write!(head, "{name}: {value}\r\n").map_err(io::Error::other)?;
    }
    head.push_str("\r\n");
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(&page.body)?;
    }
    stream.flush()
}
