//! init's arguments. The kernel gives PID 1 every word of its command line that it does not know
//! itself, so on a machine an unknown word is not an error.

/// What was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Args<T> {
    /// `--subtree`.
    pub subtree: bool,
    /// `--supervise PATH`.
    pub supervise: Option<T>,
    /// How many arguments follow `--`; they are the last ones.
    pub command: usize,
    /// `--help`.
    pub help: bool,
    /// `--version`.
    pub version: bool,
    /// The first one that was not understood.
    pub unknown: Option<T>,
}

/// Reads the arguments after the program's name. `T` is a C string in the program.
pub fn parse<T: AsRef<[u8]> + Copy>(mut words: impl Iterator<Item = T>) -> Args<T> {
    let mut args = Args {
        subtree: false,
        supervise: None,
        command: 0,
        help: false,
        version: false,
        unknown: None,
    };
    while let Some(word) = words.next() {
        match word.as_ref() {
            b"--" => {
                args.command = words.count();
                break;
            }
            b"--subtree" => args.subtree = true,
            b"--help" | b"-h" => args.help = true,
            b"--version" | b"-V" => args.version = true,
            b"--supervise" => match words.next() {
                Some(path) => args.supervise = Some(path),
                None => args.unknown = args.unknown.or(Some(word)),
            },
            _ => args.unknown = args.unknown.or(Some(word)),
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed<'a>(words: &[&'a str]) -> Args<&'a str> {
        parse(words.iter().copied())
    }

    #[test]
    fn options_are_read_up_to_the_command() {
        let args = parsed(&["--subtree", "--supervise", "/bin/s", "--", "sh", "--help"]);
        assert!(args.subtree && !args.help);
        assert_eq!(args.supervise, Some("/bin/s"));
        assert_eq!(args.command, 2);
        assert_eq!(args.unknown, None);
    }

    #[test]
    fn words_of_the_kernel_are_passed_over_and_the_first_is_named() {
        let args = parsed(&["single", "-s", "--subtree"]);
        assert!(args.subtree);
        assert_eq!(args.unknown, Some("single"));
    }

    #[test]
    fn an_option_without_its_value_is_not_understood() {
        assert_eq!(parsed(&["--supervise"]).unknown, Some("--supervise"));
        assert_eq!(parsed(&["--"]).command, 0);
        assert!(parsed(&["-h"]).help && parsed(&["-V"]).version);
    }
}
