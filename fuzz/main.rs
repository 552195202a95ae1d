//! Hands what libFuzzer invents to the target that DRUCKWART_TARGET names; nothing else.
#![no_main]

use std::sync::OnceLock;

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<targets::Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let wanted = std::env::var("DRUCKWART_TARGET").unwrap_or_default();
        let found = targets::TARGETS.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, target)| *target).expect("DRUCKWART_TARGET names a target")
    });
    target(bytes);
});
