//! A stand-in for `supervise` under a real init: it sends its end of the link to the test's socket
//! (the first argument), so that the test speaks to init itself, and then runs each line that
//! comes back with `sh -c`, and answers with its exit status. It ends when the test hangs up.
//!
//! Its standard input is the link: a wrapper script moved it there from descriptor 3.

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, reason = "a test may fail loudly")]

use std::io::{BufRead, BufReader, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

fn main() {
    let path = std::env::args_os().nth(1).expect("the test's socket");
    let mut test = UnixStream::connect(path).expect("the test listens");
    give_link(&test);
    let lines = BufReader::new(test.try_clone().expect("a second handle")).lines();
    for line in lines.map_while(Result::ok) {
        if let Some(code) = line.strip_prefix("exit ") {
            std::process::exit(code.parse().expect("a number"));
        }
        let status = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).status();
        let code = status.ok().and_then(|status| status.code()).unwrap_or(-1);
        if writeln!(test, "{code}").is_err() {
            return;
        }
    }
}

/// Sends the link, and closes it: the test has it alone.
fn give_link(test: &UnixStream) {
    let input = std::io::stdin();
    let link = [input.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&link)), "one descriptor fits");
    sendmsg(test, &[IoSlice::new(b"link")], &mut control, SendFlags::empty()).expect("sent");
    let null = std::fs::File::open("/dev/null").expect("there is a /dev/null");
    rustix::stdio::dup2_stdin(&null).expect("closed");
}
