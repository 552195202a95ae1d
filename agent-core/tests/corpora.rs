//! Replays the corpora of the fuzz targets: whatever once made one of them stumble stays harmless.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::path::Path;

#[test]
fn corpora_do_no_harm() {
    for (name, target) in targets::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
        let mut replayed = 0;
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            target(&bytes);
            // What is damaged in the simplest ways has to be as harmless.
            target(bytes.get(..bytes.len() / 2).unwrap_or_default());
            target(&bytes.iter().map(|octet| octet ^ 0x80).collect::<Vec<_>>());
            replayed += 1;
        }
        assert!(replayed > 0, "{name} has no corpus");
    }
}
