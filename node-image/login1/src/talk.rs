//! Talking to people and to the supervisor: one line each, and nobody needs to listen.

use std::fmt::Display;
use std::os::unix::net::UnixDatagram;

/// A line to standard error. (`eprintln!` panics when it fails.)
pub fn say(what: impl Display) {
    let _ = rustix::io::write(rustix::stdio::stderr(), format!("login1: {what}\n").as_bytes());
}

/// A line to standard output.
pub fn print(what: impl Display) {
    let _ = rustix::io::write(rustix::stdio::stdout(), format!("{what}\n").as_bytes());
}

/// Tells whoever started us (sd_notify), if it wants to know.
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let send = || {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to(state.as_bytes(), path)
    };
    if let Err(error) = send() {
        say(format_args!("warning: cannot tell the supervisor: {error}"));
    }
}
