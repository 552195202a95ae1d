//! What the box decides about itself: what a prepared card says, which update may be installed, whether a started system is
//! good, what becomes of the data partition. Touches nothing: bytes and times are arguments.

pub mod health;
pub mod partition;
pub mod prepared;
pub mod preseed;
pub mod request;
pub mod scrub;
pub mod update;

/// Octets in so many blocks, as file systems count them: in numbers that have 32 bits on some boards, where octets need more.
pub fn octets(blocks: impl Into<u64>, block_size: impl Into<u64>) -> u64 {
    blocks.into().saturating_mul(block_size.into())
}
