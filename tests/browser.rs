//! The pages of agent and manager in a real browser (headless Chromium), worked by clicks and typing as a person would.

#[test]
fn chromium_is_here() {
    for program in ["chromium", "chromedriver"] {
        let found = std::process::Command::new(program).arg("--version").output().is_ok();
        assert!(found, "{program} is missing: apt-get install chromium chromium-driver");
    }
}
