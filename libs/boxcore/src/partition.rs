//! What becomes of the partition that holds the box's data: whether it grows, what a check of it means.

/// What is left free behind a partition without growing into it: less is not worth a change of the table.
const WORTH: u64 = 8 << 20;
/// Bytes at the end of a card that stay free: cards of one size differ a little, and an image of one then fits on another.
const MARGIN: u64 = 4 << 20;
/// Partitions start and end at multiples of this.
const STEP: u64 = 1 << 20;

/// Written into the first sector of a partition whose content is to go: the file system does not use that sector, and whatever
/// happens on the way, the next start finds it and goes on.
pub const ERASE: &[u8; 32] = b"druckwart: erase this partition\n";

/// A disk and the last partition on it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Size of the disk.
    pub disk: u64,
    /// Where the partition starts.
    pub start: u64,
    /// Its size.
    pub size: u64,
}

impl Place {
    /// The size that the partition should have, if it is worth growing.
    pub fn grown(&self) -> Option<u64> {
        let end = self.disk.checked_sub(MARGIN)? / STEP * STEP;
        let wanted = end.checked_sub(self.start)?;
        (wanted >= self.size.checked_add(WORTH)?).then_some(wanted)
    }
}

/// What e2fsck's exit status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Nothing was wrong.
    Clean,
    /// Something was, and it was put right.
    Repaired,
    /// Something is, and it was left as it is.
    Damaged,
    /// The check itself did not work.
    Failed,
}

impl Checked {
    /// From the exit status; `None` is a check that was killed.
    pub fn of_status(status: Option<i32>) -> Self {
        match status {
            Some(0) => Self::Clean,
            // Bit 1: corrected; bit 2: and the machine should restart, which counts for mounted file systems only.
            Some(1..=3) => Self::Repaired,
            Some(bits) if bits & 0b1111_1000 == 0 && bits & 4 != 0 => Self::Damaged,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_partition_grows_once() {
        let place = Place { disk: 8_000_000_000, start: 260 * MIB, size: 64 * MIB };
        let size = place.grown().unwrap();
        assert_eq!(size % MIB, 0);
        assert!(place.start + size <= place.disk);
        assert_eq!(Place { size, ..place }.grown(), None);
        assert_eq!(Place { disk: 330 * MIB, ..place }.grown(), None, "an image as large as its disk");
    }

    #[test]
    fn a_status_is_understood() {
        let of = |status| Checked::of_status(Some(status));
        assert_eq!(
            [of(0), of(1), of(3), of(4), of(5)],
            [Checked::Clean, Checked::Repaired, Checked::Repaired, Checked::Damaged, Checked::Damaged]
        );
        assert_eq!([of(8), of(12), of(16), of(127), Checked::of_status(None)], [Checked::Failed; 5]);
    }

    proptest! {
        #[test]
        fn a_partition_never_leaves_its_disk(disk: u64, start: u64, size: u64) {
            if let Some(grown) = (Place { disk, start, size }).grown() {
                prop_assert!(grown > size && start + grown <= disk);
            }
        }
    }
}
