//! Golden files: what a test yields, kept in the repository in its real format and read in review.
//!
//! `check(&actual, "golden/kyocera.xml")` compares with the file (the path is seen from the crate under test, where cargo
//! runs its tests). `UPDATE_GOLDEN=1 cargo test` rewrites the files; nothing else does.

use std::{env, fs, path::Path};

/// Passes when `actual` is what the file holds; otherwise fails the test and shows the first lines that differ.
#[allow(clippy::panic, reason = "failing the test is what it is for")]
#[track_caller]
pub fn check(actual: &str, path: impl AsRef<Path>) {
    let path = path.as_ref();
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, actual));
        return written.unwrap_or_else(|error| panic!("can not write {}: {error}", path.display()));
    }
    let expected = fs::read_to_string(path).unwrap_or_else(|error| {
        panic!("can not read {}: {error}\nIs the case new? UPDATE_GOLDEN=1 writes the file.", path.display())
    });
    if let Some(difference) = difference(&expected, actual) {
        panic!("{} differs (- wanted, + got):\n{difference}UPDATE_GOLDEN=1 accepts it.", path.display());
    }
}

/// The lines that differ with three lines of context, at most 60; `None` when the texts are the same.
fn difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (old, new): (Vec<_>, Vec<_>) = (expected.split('\n').collect(), actual.split('\n').collect());
    let same_head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let longest_tail = old.len().min(new.len()) - same_head;
    let tails = old.iter().rev().zip(new.iter().rev()).take(longest_tail);
    let same_tail = tails.take_while(|(old, new)| old == new).count();
    let head = same_head.saturating_sub(3);
    let context = old.iter().take(same_head).skip(head).map(|line| format!("  {line}\n"));
    let gone = old.iter().take(old.len() - same_tail).skip(same_head).map(|line| format!("- {line}\n"));
    let come = new.iter().take(new.len() - same_tail).skip(same_head).map(|line| format!("+ {line}\n"));
    let after = old.iter().skip(old.len() - same_tail).take(3).map(|line| format!("  {line}\n"));
    Some(format!("line {}:\n", head + 1) + &context.chain(gone).chain(come).chain(after).take(60).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_readable() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let shown = difference("a\nb\nc\nd\n", "a\nb\nX\nY\nd\n").unwrap();
        assert_eq!(shown, "line 1:\n  a\n  b\n- c\n+ X\n+ Y\n  d\n  \n");
        assert_eq!(difference("a\na\n", "a\na\na\n").unwrap(), "line 1:\n  a\n  a\n+ a\n  \n");
        assert!(difference("", "a").is_some());
    }
}
