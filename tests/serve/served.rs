//! A server in a folder of its own, and a client for it.

#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "../journal/place.rs"]
mod place;

pub(crate) use place::Place;
use serde_json::Value as Json;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server.
pub(crate) struct Served {
    pub(crate) place: Place,
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// The link for a browser.
    pub(crate) link: String,
    pub(crate) token: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    /// Reads on until a line has this text, for two minutes at most.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) {
        let (begin, mut line) = (Instant::now(), String::new());
        while !line.contains(text) {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("in time") > 0, "the stream ended before `{text}`");
            assert!(begin.elapsed() < Duration::from_secs(120), "two minutes without `{text}`");
        }
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim().to_owned())
    }

    /// The message of an error.
    pub(crate) fn error(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl Served {
    /// A server over the folder `days` of a new place, whose one video is indexed.
    pub(crate) fn new(more: &[&str]) -> Served {
        let place = Place::new();
        place.run(&["index", "days", "-q"], 0);
        Served::of(place, more)
    }

    /// A server over the folder `days`.
    pub(crate) fn of(place: Place, more: &[&str]) -> Served {
        Served::with(place, more, &[])
    }

    /// The same with these environment variables.
    pub(crate) fn with(place: Place, more: &[&str], variables: &[(&str, &str)]) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
        command.args(["serve", "days", "--port", "0", "--json"]).args(more).current_dir(place.folder.path());
        command.env("ELENCHUS_CACHE", place.path("cache")).env("ELENCHUS_DATA", place.path("data"));
        command.env("NO_COLOR", "1").env("TZ", "UTC").env_remove("ELENCHUS_JOURNAL");
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        let link = serde_json::from_str::<Json>(&line).expect("JSON")["link"].as_str().expect("a link").to_owned();
        let address = link.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
        let token = std::fs::read_to_string(place.path("data/token")).unwrap_or_default().trim().to_owned();
        Served { place, child, address, link, token }
    }

    /// Sends a request as it is, and reads the answer until the connection ends.
    pub(crate) fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a limit");
        // a server that refuses may close before all is sent
        let _ = stream.write_all(request);
        answer(stream)
    }

    /// A connection, for slow clients.
    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("connected")
    }

    /// A request with headers and a body.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text += &format!("Host: {}\r\n", self.address);
        }
        headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }

    /// Opens a stream of events.
    pub(crate) fn events(&self, path: &str) -> Events {
        let mut stream = self.connect();
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a limit");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n", self.address, self.bearer());
        stream.write_all(request.as_bytes()).expect("sent");
        let mut events = Events(BufReader::new(stream));
        events.until("text/event-stream");
        events
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[("Authorization", &self.bearer())], b"")
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", path, &[&[("Authorization", self.bearer().as_str())], headers].concat(), b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Json) -> Answer {
        self.post_with(path, &[], body)
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Json) -> Answer {
        let bearer = self.bearer();
        let own = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        self.request("POST", path, &[&own, headers].concat(), body.to_string().as_bytes())
    }

    /// The digest of the one video.
    pub(crate) fn digest(&self) -> String {
        let library = self.get("/api/library").json();
        library["videos"][0]["digest"].as_str().expect("a digest").to_owned()
    }

    /// Ends the server as Ctrl-C does, and gives its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill");
        self.child.wait().expect("it ends").code()
    }
}

/// Reads an answer; chunks are put together.
pub(crate) fn answer(mut stream: TcpStream) -> Answer {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let at = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(all.len());
    let head = String::from_utf8_lossy(&all[..at]).into_owned();
    let body = all.get(at + 4..).unwrap_or_default().to_vec();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Answer { status, body: if is_chunked { whole(&body) } else { body }, head }
}

fn whole(mut chunks: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(at) = chunks.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&chunks[..at]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size.filter(|size| *size > 0 && chunks.len() >= at + 2 + size) else { break };
        all.extend_from_slice(&chunks[at + 2..at + 2 + size]);
        chunks = chunks.get(at + 4 + size..).unwrap_or_default();
    }
    all
}
