//! `kubectl edge`, a kubectl plugin.
fn main() {}
