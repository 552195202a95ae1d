//! What the box decides about itself: what a prepared card says, which update may be installed, whether a started system is
//! good, what becomes of the data partition. Touches nothing: bytes and times are arguments.

pub mod health;
pub mod partition;
pub mod prepared;
pub mod preseed;
pub mod request;
pub mod scrub;
pub mod update;
