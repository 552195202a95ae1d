//! Carries no code: the tests stand beside this folder, one binary each.
