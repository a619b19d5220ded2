//! Signals to a container with a command: which end it, which are for the command alone, and what
//! they become on the way.

use rustix::process::Signal;

use crate::namespace::Plan;

/// Says which signals come, and ends with status 40 + n on signal n, if that is to end it.
const LISTEN: &str = "for s in HUP USR1 USR2 WINCH ALRM; do trap \"echo got $s\" $s; done; \
                      trap 'echo got TERM; exit 55' TERM; trap 'echo got QUIT; exit 43' QUIT; \
                      trap 'echo got INT; exit 42' INT; echo ready; \
                      while :; do sleep 0.02; done";

#[test]
fn the_signal_that_ends_it_is_the_one_that_comes() {
    if !tests::may_unshare() {
        return;
    }
    let cases = [(Signal::TERM, "TERM", 55), (Signal::QUIT, "QUIT", 43), (Signal::INT, "INT", 42)];
    for (signal, name, status) in cases {
        let mut container = Plan::new().start(&["sh", "-c", LISTEN]);
        container.until_output("ready");
        container.signal(signal);
        assert_eq!(container.ended().code(), Some(status), "{name}: {}", container.errors());
        assert_eq!(container.output(), format!("ready\ngot {name}\n"));
        assert_eq!(container.errors(), "", "nothing is said of what is as it should be");
    }
}

#[test]
fn other_signals_are_for_the_command_and_end_nothing() {
    if !tests::may_unshare() {
        return;
    }
    let mut container = Plan::new().start(&["sh", "-c", LISTEN]);
    container.until_output("ready");
    let signals = [
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
        (Signal::ALARM, "ALRM"),
    ];
    for (signal, name) in signals {
        container.signal(signal);
        container.until_output(&format!("got {name}\n"));
    }
    container.signal(Signal::TERM);
    assert_eq!(container.ended().code(), Some(55));
}

#[test]
fn what_the_command_does_not_catch_ends_it_as_it_would_without_us() {
    // 128 and the signal's number, which is SIGTERM's unless another one came.
    for signal in [Signal::TERM, Signal::HUP, Signal::USR1] {
        let mut container =
            Plan::new().subtree().start(&["sh", "-c", "echo ready; exec sleep 1000"]);
        container.until_output("ready");
        // The shell has said so before it is `sleep`: either dies by it.
        container.signal(signal);
        assert_eq!(container.ended().code(), Some(128 + signal.as_raw()), "{}", container.errors());
    }
}

#[test]
fn signals_are_rewritten_as_asked() {
    // One that ends becomes another that ends, one is not heard, one becomes one that ends.
    let plan = Plan::new().subtree().variable("COOPER_REWRITE", "TERM:QUIT");
    let mut container = plan
        .options(&["--rewrite", "USR1:0", "--rewrite", "USR2:INT"])
        .start(&["sh", "-c", LISTEN]);
    container.until_output("ready");
    container.signal(Signal::USR1);
    container.signal(Signal::HUP);
    container.until_output("got HUP");
    container.signal(Signal::TERM);
    assert_eq!(container.ended().code(), Some(43));
    assert_eq!(container.output(), "ready\ngot HUP\ngot QUIT\n");
    let mut container =
        Plan::new().subtree().options(&["--rewrite", "USR2:INT"]).start(&["sh", "-c", LISTEN]);
    container.until_output("ready");
    container.signal(Signal::USR2);
    assert_eq!(container.ended().code(), Some(42));
}

#[test]
fn a_rule_that_is_none_is_told() {
    let mut container = Plan::new().subtree().options(&["--rewrite", "TERM:QIUT"]).start(&["true"]);
    assert_eq!(container.ended().code(), Some(100));
    assert!(container.errors().contains("TERM:QIUT"), "{}", container.errors());
}

#[test]
fn a_group_gets_signals_if_asked() {
    // A child of the command's, in its process group, hears of it only then.
    let child =
        "trap 'echo child got it; exit' USR1; echo child ready; while :; do sleep 0.02; done";
    let script =
        format!("trap 'echo command got it' USR1; ({child}) & while :; do sleep 0.02; done");
    for group in [true, false] {
        let plan = Plan::new().subtree().variable("COOPER_GROUP", if group { "1" } else { "0" });
        let container = plan.start(&["sh", "-c", &script]);
        container.until_output("child ready");
        container.signal(Signal::USR1);
        container.until_output("command got it");
        if group {
            container.until_output("child got it");
        } else {
            // The command was told after its group would have been.
            assert!(!container.output().contains("child got it"));
        }
    }
}

#[test]
fn a_stop_signal_of_its_own_goes_before_the_one_that_came() {
    let plan = Plan::new().subtree().service("main", "stop = { signal = \"SIGQUIT\" }");
    let mut container = plan.start(&["sh", "-c", LISTEN]);
    container.until_output("ready");
    container.signal(Signal::TERM);
    assert_eq!(container.ended().code(), Some(43));
    assert_eq!(container.output(), "ready\ngot QUIT\n");
}
