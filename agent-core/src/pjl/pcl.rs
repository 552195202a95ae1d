//! Status readback of PCL 5: the questions that a printer without PJL can be asked, and what its answers say. They hold no
//! meter, no toner, no serial number and no model: what remains is that it answers, and its memory.
//!
//! To be asked only of printers that list PCL in their device id: any other prints the question.

use super::reply::MAX_OCTETS;

/// The question for free memory with an echo behind it that marks the end, between two resets.
pub fn question(token: u16) -> Vec<u8> {
    // The echo takes numbers up to 32767.
    let token = token & 0x7fff;
    format!("\x1bE\x1b*s1M\x1b*s{token}X\x1bE").into_bytes()
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readback {
    /// The echo came: every answer before it is whole.
    pub has_ended: bool,
    /// Octets of memory that are free, where the printer says.
    pub free_memory: Option<u64>,
}

impl Readback {
    /// Reads what has come so far.
    pub fn read(octets: &[u8], token: u16) -> Self {
        let octets = octets.get(..MAX_OCTETS).unwrap_or(octets);
        let token = token & 0x7fff;
        let mut readback = Self::default();
        for line in octets.split(|octet| matches!(octet, b'\r' | b'\n' | 0x0c)) {
            let line = String::from_utf8_lossy(line);
            let line = line.trim();
            // `ECHO 17` and `PCL ECHO 17` are both in use, with and without an equals sign.
            if let Some(number) = line.strip_prefix("PCL").unwrap_or(line).trim_start().strip_prefix("ECHO") {
                readback.has_ended |= number.trim_start_matches(['=', ' ']).parse() == Ok(token);
            } else if let Some(total) = line.strip_prefix("TOTAL=") {
                readback.free_memory = total.trim().parse().ok().or(readback.free_memory);
            }
        }
        readback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_echo_are_read() {
        let octets = b"PCL INFO MEMORY\r\nTOTAL=3145728\r\nLARGEST=3000000\r\n\x0cPCL ECHO 17\r\n\x0c";
        assert_eq!(Readback::read(octets, 17), Readback { has_ended: true, free_memory: Some(3_145_728) });
        assert!(!Readback::read(octets, 18).has_ended);
        assert_eq!(Readback::read(b"ECHO=17\r\n", 17), Readback { has_ended: true, free_memory: None });
        assert_eq!(Readback::read(b"\xff\xfeERROR=INVALID UNIT\r\n\x0c", 17), Readback::default());
    }
}
