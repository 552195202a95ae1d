//! The `agent.toml` that a technician puts on a card: where the manager is and the code that admits one agent.

use std::fmt::Write;

use jiff::Timestamp;
use manager_core::{
    access::{Scope, SiteId},
    enrolment::LIFETIME,
};
use manager_store::Store;
use sha2::{Digest, Sha256};
use wire::enrolment::EnrolmentCode;

/// Makes a token for a site, keeps its digest and returns the code to hand out. The only moment at which it is known.
pub fn make_code(
    store: &Store,
    scope: &Scope,
    site: SiteId,
    server_key: [u8; 32],
    now: Timestamp,
) -> anyhow::Result<EnrolmentCode> {
    let mut secret = [0_u8; 16];
    getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    let token = EnrolmentCode::token_of(&secret);
    store.create_token(scope, site, &token_digest(&token), now + LIFETIME, now)?;
    Ok(EnrolmentCode { token, server_key: Some(server_key) })
}

/// What is kept of a token.
pub fn token_digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The file's text.
pub fn render(customer: &str, site: &str, url: &str, code: &EnrolmentCode) -> String {
    let (customer, site) = (one_line(customer), one_line(site));
    format!(
        "# Druckwart agent, for: {customer} / {site}\n[manager]\nurl = {}\nenrolment_code = {}\n",
        quoted(url),
        quoted(&code.to_string())
    )
}

/// A text for a comment: without what could end it.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Writing to a string cannot fail.
            control if control.is_control() => drop(write!(out, "\\u{:04X}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_comment_nor_a_url_out_of_its_string() {
        let code = EnrolmentCode { token: EnrolmentCode::token_of(&[9; 16]), server_key: None };
        let text = render("A\n[manager]", "B\r\nx = 1", "https://a\"\\\n", &code);
        assert_eq!(
            text,
            "# Druckwart agent, for: A [manager] / B  x = 1\n[manager]\nurl = \"https://a\\\"\\\\\\u000A\"\n\
             enrolment_code = \"DW1-BEEQSCIJBEEQSCIJBEEQSCIJBE\"\n"
        );
    }
}
