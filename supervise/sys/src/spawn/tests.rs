//! Real processes, looked at through /proc. Most need root, as `supervise` has it on a node.

mod basics;
