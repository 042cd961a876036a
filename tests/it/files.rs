//! The delay files, good and bad.

use crate::bed::{Bed, LINE, PodSpec, line_delays};

#[test]
fn half_a_file_changes_nothing_and_a_removed_one_ends_its_delays() {
    let bed = Bed::line();
    bed.create(&PodSpec { memory: "2Gi", ..PodSpec::new("before").delay("edge-1", "0") });
    bed.node_of("before");
    bed.replace(&bed.matrix(), "0 40 40 40 40 40\n40 0 1");
    let log = bed.wait("the scheduler to complain of the file", || {
        let log = std::fs::read_to_string(bed.log()).unwrap();
        log.contains("can't be used").then_some(log)
    });
    assert!(log.contains("delays.txt:2:"), "{log}");
    bed.create(&PodSpec::new("meanwhile").delay("edge-1", "10"));
    assert!(["edge-1", "edge-2"].contains(&bed.node_of("meanwhile").as_str()));
    std::fs::remove_file(bed.matrix()).unwrap();
    bed.wait("the scheduler to give the delays up", || {
        let log = std::fs::read_to_string(bed.log()).unwrap();
        log.contains("were taken away").then_some(())
    });
    // Nothing is known any more but that a node is near itself.
    bed.create(&PodSpec { memory: "7Gi", ..PodSpec::new("after").delay("edge-1", "10") });
    let message = bed.reason_of("after", |message| message.contains("known"));
    assert_eq!(
        message,
        "0/6 nodes are available: 1 Insufficient memory, 5 node(s) had no known delay to edge-1."
    );
    bed.write_delays(&LINE, &line_delays());
    assert_eq!(bed.node_of("after"), "edge-2");
}
