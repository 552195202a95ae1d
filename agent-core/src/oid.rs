//! Object identifiers: parsed once, ordered as SNMP orders them.

use std::fmt;

use serde::Deserialize;

/// An object identifier of 2 to [`Oid::MAX_ARCS`] arcs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Oid(Box<[u32]>);

impl Oid {
    /// The longest that SNMP allows (RFC 3416, section 4.1).
    pub const MAX_ARCS: usize = 128;

    /// An identifier of these arcs, if there can be one.
    pub fn new(arcs: &[u32]) -> Option<Self> {
        let fits = match arcs {
            [first, second, ..] => *first <= 2 && (*first == 2 || *second < 40) && arcs.len() <= Self::MAX_ARCS,
            _ => false,
        };
        fits.then(|| Self(arcs.into()))
    }

    /// Reads the dotted form, with or without a leading dot.
    pub fn parse(text: &str) -> Option<Self> {
        let arcs: Option<Vec<u32>> =
            text.strip_prefix('.').unwrap_or(text).split('.').map(|arc| arc.parse().ok()).collect();
        Self::new(&arcs?)
    }

    /// The arcs.
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// This identifier with further arcs behind it; cut at the greatest length.
    pub fn child(&self, arcs: &[u32]) -> Self {
        Self(self.0.iter().chain(arcs).copied().take(Self::MAX_ARCS).collect())
    }

    /// What this identifier is the successor of, where there is nothing unusual in between.
    pub fn before(&self) -> Self {
        let Some((last, above)) = self.0.split_last() else { return self.clone() };
        let arcs = match last.checked_sub(1) {
            Some(less) => [above, &[less]].concat(),
            None => above.to_vec(),
        };
        Self::new(&arcs).unwrap_or_else(|| self.clone())
    }

    /// The arcs behind `prefix`, if this identifier lies below it.
    pub fn below(&self, prefix: &Oid) -> Option<&[u32]> {
        self.0.strip_prefix(&*prefix.0).filter(|rest| !rest.is_empty())
    }
}

/// The arcs with dots between them.
pub fn dotted(arcs: &[u32]) -> String {
    arcs.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dotted(&self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Oid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not an object identifier such as 1.3.6.1.2.1.1.1.0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_identifiers_parse() {
        assert_eq!(Oid::parse(".1.3.6.1").unwrap().to_string(), "1.3.6.1");
        for text in ["", "1", "1.", "1..3", "3.1", "1.40", "1.3.x", "1.3.4294967296", "1.3.-1"] {
            assert_eq!(Oid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn order_is_that_of_snmp() {
        let oid = |text| Oid::parse(text).unwrap();
        assert!(oid("1.3.6.2") < oid("1.3.6.10"));
        assert!(oid("1.3.6") < oid("1.3.6.0"));
        assert_eq!(oid("1.3.6.1.5").below(&oid("1.3.6")), Some(&[1, 5][..]));
        assert_eq!(oid("1.3.6").below(&oid("1.3.6")), None);
    }
}
