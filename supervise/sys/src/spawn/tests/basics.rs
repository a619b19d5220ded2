use crate::spawn::testing::*;

#[test]
fn a_program_is_executed_with_its_arguments() {
    let process = process(&["sleep", "1000"]);
    let live = Live::new(&order(&process, None));
    assert_eq!(live.proc("cmdline"), "sleep\x001000\0");
}
