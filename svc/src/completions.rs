//! Completion scripts, made from the command line's one definition.
//!
//! They complete verbs, flags, and, by asking `svc names`, the services that are really there.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::{
    args::{Shell, Svc},
    context::Context,
    error::Error,
    exit::Exit,
};

/// Prints the script.
pub fn run(shell: Shell, context: &mut Context) -> Result<Exit, Error> {
    let script = match shell {
        Shell::Bash => bash(&verbs()),
        Shell::Zsh => {
            format!("#compdef svc\nautoload -U +X bashcompinit && bashcompinit\n{}", bash(&verbs()))
        }
        Shell::Fish => fish(&verbs()),
    };
    context.screen.raw(script.as_bytes())?;
    Ok(Exit::Ok)
}

/// What is to be completed after a verb.
struct Verb {
    name: String,
    about: String,
    /// Long and short flags, with their help.
    flags: Vec<(Option<String>, Option<char>, String)>,
    /// Words that its first argument can be.
    words: Vec<String>,
    /// It takes names of services.
    services: bool,
}

fn verbs() -> Vec<Verb> {
    let svc = Svc::command();
    svc.get_subcommands().filter(|verb| !verb.is_hide_set()).map(verb_of).collect()
}

fn verb_of(command: &Command) -> Verb {
    let text =
        |help: Option<&clap::builder::StyledStr>| help.map(ToString::to_string).unwrap_or_default();
    let flags = command
        .get_arguments()
        .filter(|argument| !argument.is_positional())
        .map(|flag| (flag.get_long().map(String::from), flag.get_short(), text(flag.get_help())))
        .collect();
    let words = command
        .get_positionals()
        .flat_map(|argument| argument.get_possible_values())
        .map(|value| value.get_name().into())
        .collect();
    let services = command
        .get_positionals()
        .any(|argument| matches!(argument.get_id().as_str(), "name" | "names"));
    Verb {
        name: command.get_name().into(),
        about: text(command.get_about()),
        flags,
        words,
        services,
    }
}

fn bash(verbs: &[Verb]) -> String {
    let names: Vec<&str> = verbs.iter().map(|verb| verb.name.as_str()).collect();
    let mut script = String::from(
        "_svc() {\n    local current=${COMP_WORDS[COMP_CWORD]} verb= word words=\n    \
         for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        \
         case $word in -*) ;; *) verb=$word; break ;; esac\n    done\n    case $verb in\n",
    );
    let mut case = |pattern: &str, words: &str| {
        let _ = writeln!(script, "    {pattern}) words=\"{words}\" ;;");
    };
    case("''", &format!("{} --user --help --version", names.join(" ")));
    for verb in verbs {
        let mut words: Vec<String> = verb.words.clone();
        for (long, short, _) in &verb.flags {
            words.extend(long.iter().map(|long| format!("--{long}")));
            words.extend(short.iter().map(|short| format!("-{short}")));
        }
        if verb.services {
            words.push("$(svc names 2>/dev/null)".into());
        }
        case(&verb.name, &words.join(" "));
    }
    script.push_str(
        "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n    \
         [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default 2>/dev/null\n}\n\
         complete -F _svc svc\n",
    );
    script
}

fn fish(verbs: &[Verb]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "\\'"));
    let mut script = String::from("complete -c svc -f\n");
    for verb in verbs {
        let about = quoted(&verb.about);
        let name = &verb.name;
        let _ = writeln!(script, "complete -c svc -n __fish_use_subcommand -a {name} -d {about}");
        let after = format!("complete -c svc -n '__fish_seen_subcommand_from {name}'");
        for (long, short, help) in &verb.flags {
            let long = long.as_ref().map(|long| format!(" -l {long}")).unwrap_or_default();
            let short = short.map(|short| format!(" -s {short}")).unwrap_or_default();
            let _ = writeln!(script, "{after}{long}{short} -d {}", quoted(help));
        }
        if !verb.words.is_empty() {
            let _ = writeln!(script, "{after} -a {}", quoted(&verb.words.join(" ")));
        }
        if verb.services {
            let _ = writeln!(script, "{after} -a '(svc names 2>/dev/null)'");
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Completes a line with a real bash; none where there is no bash.
    fn complete(words: &[&str]) -> Option<Vec<String>> {
        let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "svc() {{ echo sshd; echo seatd; }}\n{}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_svc\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            bash(&verbs()),
            line.join(" "),
            words.len().checked_sub(1)?
        );
        let run = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(run.stdout).ok()?;
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        Some(text.lines().map(String::from).collect())
    }

    /// Verbs, flags, words and the services that are there.
    #[test]
    fn bash_completes() {
        let Some(verbs) = complete(&["svc", "sta"]) else { return };
        assert_eq!(verbs, ["status", "start"]);
        assert_eq!(complete(&["svc", "restart", "--w"]).unwrap(), ["--with-dependents"]);
        assert_eq!(complete(&["svc", "restart", "s"]).unwrap(), ["sshd", "seatd"]);
        assert_eq!(complete(&["svc", "--user", "plan", "sto"]).unwrap(), ["stop"]);
    }

    /// Every verb and flag is in each script.
    #[test]
    fn scripts_have_every_verb_and_flag() {
        let (bash, fish) = (bash(&verbs()), fish(&verbs()));
        for verb in verbs() {
            assert!(bash.contains(&format!("    {}) ", verb.name)), "{}", verb.name);
            assert!(fish.contains(&format!(" -a {} ", verb.name)), "{}", verb.name);
            for (long, _, _) in verb.flags {
                let long = long.unwrap_or_default();
                assert!(
                    bash.contains(&format!("--{long}")) && fish.contains(&format!("-l {long}"))
                );
            }
        }
    }
}
