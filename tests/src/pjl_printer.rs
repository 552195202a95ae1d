//! What a printer of the tests says in PJL. How the bytes get to it is for others: a gadget of the kernel, a redirected device.

const UEL: &str = "\x1b%-12345X";

/// What a printer of this name with so many pages on its meter says to what it got. Job data hold no such lines.
pub fn answer(octets: &[u8], name: &str, pages: u32) -> String {
    if !octets.windows(4).any(|window| window == b"@PJL") {
        return String::new();
    }
    let mut answers = String::new();
    for line in String::from_utf8_lossy(octets).replace(UEL, "").lines() {
        answers += &match line.strip_prefix("@PJL ") {
            Some("INFO STATUS") => format!("{line}\r\nCODE=10001\r\nDISPLAY=\"Ready to test\"\r\nONLINE=TRUE\r\n\x0c"),
            Some("INFO PAGECOUNT") => format!("{line}\r\nPAGECOUNT={pages}\r\n\x0c"),
            Some("INFO ID") => format!("{line}\r\n\"{name}\"\r\n\x0c"),
            Some("INFO CONFIG") => format!("{line}\r\nIN TRAYS [1 ENUMERATED]\r\n\tINTRAY1 PC\r\n\x0c"),
            Some("INFO VARIABLES") => format!("{line}\r\nINTRAY1SIZE=A4 [2 ENUMERATED]\r\n\tA4\r\n\tA5\r\n\x0c"),
            Some(echo) if echo.starts_with("ECHO") => format!("{line}\r\n\x0c"),
            Some(info) if info.starts_with("INFO") => format!("{line}\r\n\"?\"\r\n\x0c"),
            _ => String::new(),
        };
    }
    answers
}
