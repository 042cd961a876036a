//! The scheduler's command line.
fn main() {}
