//! As much of HTTP/1.1 as probes speak: one request for each connection, `GET` or `HEAD`, two
//! paths. A client that sends too much, too little or nothing costs others a second at most.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    time::{Duration, Instant},
};

use super::Report;
use crate::{error::Error, paths::Paths};

/// A request that takes longer is not answered: the next one waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than any probe's request.
const REQUEST_MAX: usize = 4096;
/// Everyone may connect: the state table may be read by everyone, too.
const SOCKET_MODE: u32 = 0o666;

/// Where it listens.
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// `unix:PATH`, `HOST:PORT`, or `:PORT` on all addresses.
    pub fn open(address: &str) -> Result<Self, Error> {
        let opened = match address.strip_prefix("unix:") {
            Some(path) => listen(Path::new(path)).map(Self::Unix),
            None if address.starts_with(':') => {
                TcpListener::bind(format!("[::]{address}"))
                    // A kernel without IPv6.
                    .or_else(|_| TcpListener::bind(format!("0.0.0.0{address}")))
                    .map(Self::Tcp)
            }
            None => TcpListener::bind(address).map(Self::Tcp),
        };
        opened.map_err(|error| Error::system(&format!("listen on {address}"), &error))
    }

    /// Answers one client. What goes wrong with it is its own affair.
    pub fn answer(&self, paths: &Paths) {
        let _ = match self {
            Self::Tcp(listener) => listener.accept().and_then(|(stream, _)| serve(stream, paths)),
            Self::Unix(listener) => listener.accept().and_then(|(stream, _)| serve(stream, paths)),
        };
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// What was left by one that was killed is in the way.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

trait Stream: Read + Write {
    fn wait_at_most(&self, time: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Stream for UnixStream {
    fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

fn serve(mut stream: impl Stream, paths: &Paths) -> io::Result<()> {
    let begun = Instant::now();
    let mut request = Vec::new();
    while !is_whole(&request) && request.len() < REQUEST_MAX {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.wait_at_most(left)?;
        let mut chunk = [0; 512];
        match stream.read(&mut chunk)? {
            0 => break,
            count => request.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
    stream.wait_at_most(PATIENCE)?;
    let answer = respond(&request, || Report::read(paths));
    stream.write_all(answer.to_string().as_bytes())
}

fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|end| end == b"\r\n\r\n")
}

struct Answer {
    status: &'static str,
    body: String,
    head_only: bool,
}

fn respond(request: &[u8], report: impl FnOnce() -> Result<Report, Error>) -> Answer {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let head_only = method == "HEAD";
    let path = target.split('?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        _ if !is_whole(request) => ("400 Bad Request", "no request\n".into()),
        ("GET" | "HEAD", "/healthz" | "/readyz") => match report() {
            Ok(report) => {
                let lines = if path == "/healthz" { report.failing } else { report.unready };
                told(&lines)
            }
            Err(error) => ("503 Service Unavailable", format!("{error}\n")),
        },
        ("GET" | "HEAD", _) => ("404 Not Found", "/healthz and /readyz are here\n".into()),
        _ => ("405 Method Not Allowed", "GET, or HEAD\n".into()),
    };
    Answer { status, body, head_only }
}

fn told(lines: &[String]) -> (&'static str, String) {
    if lines.is_empty() {
        return ("200 OK", "ok\n".into());
    }
    ("503 Service Unavailable", lines.join("\n") + "\n")
}

impl fmt::Display for Answer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, body, head_only } = self;
        let length = body.len();
        write!(to, "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n")?;
        write!(to, "Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
        if *head_only { Ok(()) } else { to.write_str(body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(request: &str, unready: &[&str], failing: &[&str]) -> String {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        let report = || Ok(Report { unready: lines(unready), failing: lines(failing) });
        respond(request.as_bytes(), report).to_string()
    }

    #[test]
    fn ready_and_healthy_are_two_questions() {
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let starting = |path: &str| answered(&get(path), &["web is starting"], &[]);
        assert!(starting("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
        let answer = starting("/readyz?verbose");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(
            answer.ends_with("Content-Length: 16\r\nConnection: close\r\n\r\nweb is starting\n")
        );
        assert!(answered(&get("/healthz"), &["x"], &["x"]).starts_with("HTTP/1.1 503 "));
        assert!(answered(&get("/"), &[], &[]).starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn what_is_no_request_is_told_so() {
        for (request, status) in [
            ("", "400"),
            ("GET /readyz HTTP/1.1\r\n", "400"),
            ("POST /readyz HTTP/1.1\r\n\r\n", "405"),
            ("\r\n\r\n", "405"),
        ] {
            let answer = answered(request, &[], &[]);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        }
        let head = answered("HEAD /readyz HTTP/1.1\r\n\r\n", &[], &[]);
        assert!(head.contains("Content-Length: 3\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }
}
