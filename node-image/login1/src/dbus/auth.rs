//! The server's half of the handshake (SASL, EXTERNAL only), a line at a time.
//!
//! Clients differ: godbus asks for the mechanisms with a bare `AUTH` and expects `REJECTED`, then
//! says `AUTH EXTERNAL` without its identity, expects `DATA` and answers with an empty `DATA`;
//! libdbus names its user at once; sd-bus sends everything without waiting.

/// Longer lines are none of ours.
pub const LINE_MAX: usize = 512;
/// More attempts than any client needs.
const TRIES: u8 = 8;

/// Where the handshake is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// `AUTH` is to come.
    Auth,
    /// `DATA` is to come: who it says it is.
    Data,
    /// It is known; `BEGIN` is to come.
    Begin,
}

/// One client's handshake.
#[derive(Clone, Debug)]
pub struct Auth {
    state: State,
    tries: u8,
    /// Who the kernel says it is.
    uid: u32,
    guid: String,
}

/// What a line leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// This is to be answered.
    Say(String),
    /// The rest is messages.
    Begin,
    /// It must go.
    Refuse(&'static str),
}

impl Auth {
    /// Of a client that the kernel says is `uid`; after its first NUL.
    #[must_use]
    pub const fn new(uid: u32, guid: String) -> Self {
        Self { state: State::Auth, tries: 0, uid, guid }
    }

    /// It says this line (without its end).
    pub fn line(&mut self, line: &[u8]) -> Step {
        self.tries = self.tries.saturating_add(1);
        if self.tries > TRIES {
            return Step::Refuse("it does not come to an end with its handshake");
        }
        let Ok(line) = core::str::from_utf8(line) else { return Step::Say(error()) };
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        match (self.state, command) {
            (State::Begin, "BEGIN") => Step::Begin,
            (State::Auth | State::Data, "BEGIN") => Step::Refuse("it begins without a name"),
            (State::Begin, "NEGOTIATE_UNIX_FD") => Step::Say("AGREE_UNIX_FD".into()),
            (State::Auth, "AUTH") => self.auth(argument),
            (State::Data, "DATA") => self.identity(argument),
            (State::Auth | State::Data | State::Begin, "CANCEL" | "ERROR") => self.reject(),
            (State::Auth | State::Data | State::Begin, _) => Step::Say(error()),
        }
    }

    fn auth(&mut self, argument: &str) -> Step {
        match argument.split_once(' ').unwrap_or((argument, "")) {
            ("EXTERNAL", "") => {
                self.state = State::Data;
                Step::Say("DATA".into())
            }
            ("EXTERNAL", identity) => self.identity(identity),
            (_, _) => self.reject(),
        }
    }

    /// A user in decimal digits, these in hexadecimal; or nothing, for who the kernel says it is.
    fn identity(&mut self, hex: &str) -> Step {
        let own = self.uid.to_string().bytes().fold(String::new(), |hex, byte| {
            use core::fmt::Write as _;
            let mut hex = hex;
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        if hex.is_empty() || hex.eq_ignore_ascii_case(&own) {
            self.state = State::Begin;
            Step::Say(format!("OK {}", self.guid))
        } else {
            self.reject()
        }
    }

    fn reject(&mut self) -> Step {
        self.state = State::Auth;
        Step::Say("REJECTED EXTERNAL".into())
    }
}

fn error() -> String {
    "ERROR".into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is said, and what is answered.
    fn talk(lines: &[(&str, &str)]) {
        let mut auth = Auth::new(0, "g".into());
        for (line, answer) in lines {
            let step = auth.line(line.as_bytes());
            match *answer {
                "begin" => assert_eq!(step, Step::Begin, "{line}"),
                "refuse" => assert!(matches!(step, Step::Refuse(_)), "{line}"),
                said => assert_eq!(step, Step::Say(said.into()), "{line}"),
            }
        }
    }

    #[test]
    fn godbus_is_understood() {
        talk(&[
            ("AUTH", "REJECTED EXTERNAL"),
            ("AUTH EXTERNAL", "DATA"),
            ("DATA", "OK g"),
            ("NEGOTIATE_UNIX_FD", "AGREE_UNIX_FD"),
            ("BEGIN", "begin"),
        ]);
    }

    #[test]
    fn libdbus_is_understood() {
        talk(&[("AUTH EXTERNAL 30", "OK g"), ("BEGIN", "begin")]);
    }

    #[test]
    fn another_user_or_mechanism_is_rejected() {
        talk(&[
            ("AUTH EXTERNAL 31303030", "REJECTED EXTERNAL"),
            ("AUTH ANONYMOUS", "REJECTED EXTERNAL"),
            ("AUTH EXTERNAL", "DATA"),
            ("DATA 31", "REJECTED EXTERNAL"),
            ("NEGOTIATE_UNIX_FD", "ERROR"),
            ("BEGIN", "refuse"),
        ]);
    }

    #[test]
    fn a_cancelled_handshake_begins_anew() {
        talk(&[("AUTH EXTERNAL 30", "OK g"), ("CANCEL", "REJECTED EXTERNAL"), ("BEGIN", "refuse")]);
    }

    #[test]
    fn a_handshake_comes_to_an_end() {
        let mut auth = Auth::new(0, String::new());
        let steps: Vec<Step> = (0..=TRIES).map(|_| auth.line(b"NOISE")).collect();
        assert!(matches!(steps.last(), Some(Step::Refuse(_))));
    }

    proptest! {
        #[test]
        fn nobody_begins_as_somebody_else(said in proptest::collection::vec(0_usize..9, 0..12)) {
            let lines = [
                "AUTH", "AUTH EXTERNAL", "AUTH EXTERNAL 30", "DATA 30", "CANCEL", "BEGIN",
                "NEGOTIATE_UNIX_FD", "ERROR x", "\u{fffd}",
            ];
            let mut auth = Auth::new(1000, String::new());
            for line in said {
                prop_assert_ne!(auth.line(lines[line].as_bytes()), Step::Begin);
            }
        }
    }
}
