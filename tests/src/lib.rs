//! Tools of the system tests. What is tested stands beside this folder, one binary each; nothing that ships is here.

pub mod repository;
