//! The manager's database: one method for each question asked.
