//! What the value of a key looks like, and how it is read.
//!
//! A [`Shape`] knows neither its key nor its service; it reads one value and says everything that
//! is wrong with it.

mod tables;
mod words;

use graph::LimitSpec;

use crate::{
    name,
    schema::Named,
    text::At,
    units::{self, Wrong, wrong},
    value::{Data, Value},
};

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// One line of text.
    Line,
    /// An absolute path.
    Path,
    /// A unix socket.
    Socket,
    /// Numeric address and port.
    Address,
    /// `http://…`
    Url,
    /// A user or group, by name or number.
    Account,
    /// Where output goes.
    LogTarget,
    /// Below the root that we manage.
    CgroupPath,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// true or false.
    Flag,
    /// true, and nothing else.
    True,
    /// An integer of this range.
    Integer(i64, i64),
    /// A time limit.
    Duration,
    /// A time limit or `off`.
    DurationOrOff,
    /// An age or `off`.
    Age,
    /// Bytes.
    Size,
    /// An octal mode.
    Mode,
    /// A signal that can be caught.
    Signal,
    /// Capabilities.
    Capabilities,
    /// A program and its arguments.
    Command,
    /// Names of services.
    Names,
    /// Names that it gives itself.
    Provides,
    /// Absolute paths.
    Paths,
    /// `/SOURCE:/TARGET`.
    Binds,
    /// `/PATH` or `/PATH:MODE`.
    Directories,
    /// Absolute paths, with or without a leading `-`.
    EnvironmentFiles,
    /// Users or groups.
    Accounts,
    /// Texts, with or without a leading `!`; one or a list.
    Conditions,
    /// A table of resource limits.
    Limits,
    /// A table of environment variables.
    Variables,
    /// A table of kernel parameters.
    Sysctls,
    /// A table of keys of the schema; a value that is no table stands for the key `shorthand`.
    Table {
        /// Empty: no such value.
        shorthand: &'static str,
    },
    /// A table of keys of the schema and of files in a cgroup.
    CgroupKeys,
}

/// What was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Parsed {
    Text(String),
    List(Vec<Named>),
    Flag(bool),
    Number(i64),
    Millis(u32),
    Wide(u64),
    Signal(u8),
    Mode(u16),
    Mask(u64),
    Http { address: String, host: String, path: String },
    Limits(Vec<LimitSpec>),
    Pairs(Vec<Pair>),
}

/// A name, its value, and where the name stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pair {
    pub name: String,
    pub value: String,
    pub at: At,
}

/// Everything that is wrong with a value, each at its place.
pub(crate) type Wrongs = Vec<(At, Wrong)>;

impl Shape {
    /// What a value of this shape is, for messages and for the reference.
    pub fn noun(self) -> String {
        match self {
            Self::Line => "a line of text".into(),
            Self::Path => "an absolute path".into(),
            Self::Socket => "a path or `@NAME`".into(),
            Self::Address => "`\"ADDRESS:PORT\"`".into(),
            Self::Url => "`\"http://ADDRESS:PORT/PATH\"`".into(),
            Self::Account => "a name or number".into(),
            Self::LogTarget => "`\"files\"`, `\"none\"`, `\"console\"` or a service".into(),
            Self::CgroupPath => "a relative path".into(),
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                match words.as_slice() {
                    [word] => word.clone(),
                    words => format!("one of {}", words.join(", ")),
                }
            }
            Self::Flag => "`true` or `false`".into(),
            Self::True => "`true`".into(),
            Self::Integer(min, max) => format!("an integer, {min} to {max}"),
            Self::Duration => "a duration".into(),
            Self::DurationOrOff | Self::Age => "a duration, or `\"off\"`".into(),
            Self::Size => "a size".into(),
            Self::Mode => "an octal mode in quotes".into(),
            Self::Signal => "a signal's name".into(),
            Self::Capabilities => "a list of capabilities".into(),
            Self::Command => "a list: program and arguments".into(),
            Self::Names => "a list of services".into(),
            Self::Provides => "a list of names".into(),
            Self::Paths => "a list of absolute paths".into(),
            Self::Binds => "a list of `\"/SOURCE:/TARGET\"`".into(),
            Self::Directories => "a list of absolute paths, each with or without `:MODE`".into(),
            Self::EnvironmentFiles => "a list of absolute paths".into(),
            Self::Accounts => "a list of names".into(),
            Self::Conditions => "a string, or a list of strings".into(),
            Self::Limits => "a table of limits".into(),
            Self::Variables => "a table of strings".into(),
            Self::Sysctls => "a table of kernel parameters".into(),
            Self::Table { .. } => "a table".into(),
            Self::CgroupKeys => "a table of cgroup keys".into(),
        }
    }

    /// Reads a value. What is wrong goes to `wrongs`; the elements of a list or a table that are
    /// right are returned all the same, so that what they lead to can be judged too.
    pub fn parse(self, value: &Value, wrongs: &mut Wrongs) -> Option<Parsed> {
        let read = match self {
            Self::Line
            | Self::Path
            | Self::Socket
            | Self::Address
            | Self::Url
            | Self::LogTarget
            | Self::CgroupPath
            | Self::Choice(_)
            | Self::Duration
            | Self::DurationOrOff
            | Self::Age
            | Self::Mode
            | Self::Signal => self.text(value),
            Self::Account | Self::Size => self.text_or_number(value),
            Self::Flag | Self::True | Self::Integer(..) => self.simple(value),
            Self::Command
            | Self::Names
            | Self::Provides
            | Self::Paths
            | Self::Binds
            | Self::Directories
            | Self::EnvironmentFiles
            | Self::Accounts
            | Self::Conditions
            | Self::Capabilities => self.list(value, wrongs),
            Self::Limits => tables::limits(value, wrongs),
            Self::Variables => tables::variables(value, wrongs),
            Self::Sysctls => tables::sysctls(value, wrongs),
            Self::Table { .. } | Self::CgroupKeys => Err(self.mismatch(value)),
        };
        read.map_err(|wrong| wrongs.push((value.at, wrong))).ok()
    }

    /// The value is of another type.
    pub fn mismatch(self, value: &Value) -> Wrong {
        let noun = self.noun();
        let help = match (self, &value.data) {
            (Self::Duration | Self::DurationOrOff | Self::Age, Data::Integer(number)) => {
                format!("write it with its unit: \"{number}s\" (ms, s, m, h, d)")
            }
            (Self::Command, Data::Text(text)) => {
                let words: Vec<String> =
                    text.split_whitespace().map(|word| format!("\"{word}\"")).collect();
                format!("there is no shell to split it: write it as a list, [{}]", words.join(", "))
            }
            (Self::Mode, Data::Integer(number)) => {
                format!("write octal digits in quotes: \"{number:03}\"")
            }
            (Self::Signal, Data::Integer(number)) => match u8::try_from(*number) {
                Ok(number @ (1..=31 | 34..=64)) => {
                    format!("write its name: \"{}\"", units::signal_name(number))
                }
                Ok(_) | Err(_) => "write a signal's name, such as \"SIGTERM\"".to_string(),
            },
            (Self::Flag, Data::Text(text)) if matches!(text.as_str(), "yes" | "on" | "true") => {
                "write it without quotes: true".to_string()
            }
            (Self::Flag, Data::Text(_)) => "write true or false, without quotes".to_string(),
            (Self::Names | Self::Provides | Self::Paths | Self::Accounts, Data::Text(text)) => {
                format!("write it as a list: [\"{text}\"]")
            }
            (Self::EnvironmentFiles | Self::Directories | Self::Binds, Data::Text(text)) => {
                format!("write it as a list: [\"{text}\"]")
            }
            (_, Data::Integer(number)) if self.wants_text() => {
                format!("write it in quotes: \"{number}\"")
            }
            (_, _) => format!("write {noun}"),
        };
        Wrong { message: format!("this is {}, expected {noun}", value.noun()), help }
    }

    const fn wants_text(self) -> bool {
        matches!(self, Self::Line | Self::Conditions)
    }

    fn text(self, value: &Value) -> Result<Parsed, Wrong> {
        match &value.data {
            Data::Text(text) => self.word(text),
            Data::Integer(_) | Data::Flag(_) | Data::Array(_) | Data::Table(_) | Data::Other(_) => {
                Err(self.mismatch(value))
            }
        }
    }

    /// Reads one string.
    fn word(self, text: &str) -> Result<Parsed, Wrong> {
        match self {
            Self::Path => units::path(text).map(Parsed::Text),
            Self::Socket => units::socket(text).map(Parsed::Text),
            Self::Address => units::address(text).map(Parsed::Text),
            Self::Url => {
                units::url(text).map(|(address, host, path)| Parsed::Http { address, host, path })
            }
            Self::CgroupPath => words::cgroup_path(text).map(Parsed::Text),
            Self::Choice(words) => words::choice(text, words),
            Self::Duration => words::milliseconds(text),
            Self::DurationOrOff if text == "off" => Ok(Parsed::Millis(0)),
            Self::DurationOrOff => words::milliseconds(text),
            Self::Age if text == "off" => Ok(Parsed::Wide(0)),
            // A second at least: 0 means that age does not matter.
            Self::Age => units::duration_ms(text).map(|ms| Parsed::Wide(ms.div_ceil(1000).max(1))),
            Self::Size => units::size(text).map(Parsed::Wide),
            Self::Mode => units::mode(text).map(Parsed::Mode),
            Self::Signal => words::catchable(text),
            Self::LogTarget if matches!(text, "files" | "none" | "console") => {
                Ok(Parsed::Text(text.to_string()))
            }
            Self::LogTarget => name::check(text).map(|()| Parsed::Text(text.to_string())),
            Self::Line | Self::Account => words::line(text),
            // None of these is one string.
            Self::Flag
            | Self::True
            | Self::Integer(..)
            | Self::Capabilities
            | Self::Command
            | Self::Names
            | Self::Provides
            | Self::Paths
            | Self::Binds
            | Self::Directories
            | Self::EnvironmentFiles
            | Self::Accounts
            | Self::Conditions
            | Self::Limits
            | Self::Variables
            | Self::Sysctls
            | Self::Table { .. }
            | Self::CgroupKeys => wrong("a string", format!("write {}", self.noun())),
        }
    }

    fn text_or_number(self, value: &Value) -> Result<Parsed, Wrong> {
        let Data::Integer(number) = value.data else { return self.text(value) };
        match (self, u64::try_from(number)) {
            (Self::Size, Ok(bytes)) => Ok(Parsed::Wide(bytes)),
            (Self::Account, Ok(_)) => Ok(Parsed::Text(number.to_string())),
            (_, _) => wrong(format!("{number} is below zero"), format!("write {}", self.noun())),
        }
    }

    fn simple(self, value: &Value) -> Result<Parsed, Wrong> {
        match (self, &value.data) {
            (Self::Flag | Self::True, Data::Flag(true)) => Ok(Parsed::Flag(true)),
            (Self::Flag, Data::Flag(false)) => Ok(Parsed::Flag(false)),
            (Self::True, Data::Flag(false)) => {
                wrong("this can only be true", "leave the key out instead")
            }
            (Self::Integer(min, max), Data::Integer(number)) => {
                if (min..=max).contains(number) {
                    Ok(Parsed::Number(*number))
                } else {
                    wrong(
                        format!("{number} is out of range"),
                        format!("write an integer from {min} to {max}"),
                    )
                }
            }
            (_, _) => Err(self.mismatch(value)),
        }
    }

    fn list(self, value: &Value, wrongs: &mut Wrongs) -> Result<Parsed, Wrong> {
        let values = match &value.data {
            Data::Array(values) => values.as_slice(),
            Data::Text(_) if matches!(self, Self::Conditions) => std::slice::from_ref(value),
            Data::Text(_) | Data::Integer(_) | Data::Flag(_) | Data::Table(_) | Data::Other(_) => {
                return Err(self.mismatch(value));
            }
        };
        let mut list: Vec<Named> = Vec::new();
        for value in values {
            let Data::Text(text) = &value.data else {
                let message = format!("this is {}, expected a string", value.noun());
                let help = "write each element in quotes".to_string();
                wrongs.push((value.at, Wrong { message, help }));
                continue;
            };
            let first = std::ptr::eq(value, values.first().unwrap_or(value));
            match self.element(text, first) {
                Ok(name) => list.push(Named { name, at: value.at }),
                Err(wrong) => wrongs.push((value.at, wrong)),
            }
        }
        if matches!(self, Self::Command) && values.is_empty() {
            let message = "an empty command".to_string();
            let help = "write the program and its arguments, [\"/usr/bin/PROGRAM\"], or leave the \
                        key out"
                .to_string();
            wrongs.push((value.at, Wrong { message, help }));
        }
        if matches!(self, Self::Capabilities) {
            let bits = list.iter().filter_map(|named| units::capability(&named.name).ok());
            return Ok(Parsed::Mask(bits.fold(0, |mask, bit| mask | 1_u64 << (bit & 63))));
        }
        Ok(Parsed::List(list))
    }

    /// Reads one element of a list.
    fn element(self, text: &str, first: bool) -> Result<String, Wrong> {
        let checked = match self {
            Self::Command if first => words::program(text),
            Self::Command if text.contains('\0') => wrong("a NUL byte", "no argument can have one"),
            Self::Command => Ok(()),
            Self::Names | Self::Provides => name::check(text),
            Self::Paths => units::path(text).map(drop),
            Self::EnvironmentFiles => units::path(text.strip_prefix('-').unwrap_or(text)).map(drop),
            Self::Directories => words::directory(text),
            Self::Binds => words::bind(text),
            Self::Capabilities => units::capability(text).map(drop),
            Self::Accounts | Self::Conditions => words::line(text).map(drop),
            // None of these is a list.
            Self::Line
            | Self::Path
            | Self::Socket
            | Self::Address
            | Self::Url
            | Self::Account
            | Self::LogTarget
            | Self::CgroupPath
            | Self::Choice(_)
            | Self::Flag
            | Self::True
            | Self::Integer(..)
            | Self::Duration
            | Self::DurationOrOff
            | Self::Age
            | Self::Size
            | Self::Mode
            | Self::Signal
            | Self::Limits
            | Self::Variables
            | Self::Sysctls
            | Self::Table { .. }
            | Self::CgroupKeys => wrong("a list", format!("write {}", self.noun())),
        };
        checked.map(|()| text.to_string())
    }
}
