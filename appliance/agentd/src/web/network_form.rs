//! The form of the network page: its fields, what is wrong with them, and what is sent.

use netcfg::config::{Fault, Field, FieldError, Form};
use netcfg::secret::Secret;
use serde::Deserialize;
use webkit::text::{Lang, fill};

use super::network_texts::Texts;

pub(super) struct FormView {
    pub(super) is_static: bool,
    pub(super) ipv6: String,
    pub(super) dot1x: String,
    pub(super) main: Vec<Input>,
    pub(super) dns: Vec<Input>,
    pub(super) more: Vec<Input>,
    pub(super) ipv6_inputs: Vec<Input>,
    pub(super) dot1x_inputs: Vec<Input>,
    pub(super) peap_inputs: Vec<Input>,
    pub(super) tls_inputs: Vec<Input>,
    pub(super) more_is_open: bool,
    pub(super) problem: Option<&'static str>,
    pub(super) mode_problem: Option<String>,
    /// Warnings that were shown; then the form offers to go on all the same.
    pub(super) warnings: Vec<&'static str>,
}

pub(super) struct Input {
    kind: Kind,
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) example: &'static str,
    pub(super) value: String,
    pub(super) error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Line,
    Password,
    Pem,
}

impl Input {
    pub(super) fn is_password(&self) -> bool {
        self.kind == Kind::Password
    }

    pub(super) fn is_pem(&self) -> bool {
        self.kind == Kind::Pem
    }
}

/// The form as it is sent: the configuration, whether warnings are set aside, and when it is to be tried.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    mode: String,
    address: String,
    prefix: String,
    gateway: String,
    dns: String,
    host_name: String,
    ntp: String,
    ipv6: String,
    ipv6_address: String,
    ipv6_gateway: String,
    vlan: String,
    dot1x: String,
    dot1x_identity: String,
    dot1x_anonymous: String,
    dot1x_password: String,
    dot1x_authority: String,
    dot1x_server: String,
    dot1x_certificate: String,
    dot1x_key: String,
    dot1x_key_password: String,
    pub(super) force: Option<String>,
    pub(super) when: String,
}

impl FormView {
    pub(super) fn of(lang: Lang, form: &Form, errors: &[FieldError]) -> Self {
        let t = Texts::of(lang);
        let error = |field: Field| {
            let words: Vec<_> =
                errors.iter().filter(|error| error.field == field).map(|error| fault(t, error)).collect();
            (!words.is_empty()).then(|| words.join(" "))
        };
        let input = |kind, field, name, label, hint, example, value: &str| Input {
            kind,
            name,
            label,
            hint,
            example,
            value: value.to_owned(),
            error: error(field),
        };
        let line = |field, name, label, hint, example, value: &str| {
            input(Kind::Line, field, name, label, hint, example, value)
        };
        let pem =
            |field, name, label, hint, value: &str| input(Kind::Pem, field, name, label, hint, "-----BEGIN …", value);
        let password = |field, name, label| input(Kind::Password, field, name, label, t.secret_hint, "", "");
        let main = vec![
            line(Field::Address, "address", t.address, "", "192.168.1.20", &form.address),
            line(Field::Prefix, "prefix", t.prefix, t.prefix_hint, "24", &form.prefix),
            line(Field::Gateway, "gateway", t.gateway, "", "192.168.1.1", &form.gateway),
        ];
        let dns = vec![line(Field::Dns, "dns", t.dns, t.dns_hint, "192.168.1.1", &form.dns)];
        let more = vec![
            line(Field::HostName, "host_name", t.host_name, t.host_name_hint, "druckwart-office", &form.host_name),
            line(Field::Ntp, "ntp", t.ntp, t.ntp_hint, "", &form.ntp),
            line(Field::Vlan, "vlan", t.vlan, t.vlan_hint, "", &form.vlan),
        ];
        let ipv6_inputs = vec![
            line(Field::Ipv6Address, "ipv6_address", t.ipv6_address, "", "2001:db8::20/64", &form.ipv6_address),
            line(Field::Ipv6Gateway, "ipv6_gateway", t.ipv6_gateway, "", "fe80::1", &form.ipv6_gateway),
        ];
        let dot1x_inputs = vec![
            line(Field::Dot1xIdentity, "dot1x_identity", t.dot1x_identity, "", "", &form.dot1x_identity),
            pem(Field::Dot1xAuthority, "dot1x_authority", t.dot1x_authority, t.pem_hint, &form.dot1x_authority),
            line(
                Field::Dot1xServer,
                "dot1x_server",
                t.dot1x_server,
                t.dot1x_server_hint,
                "radius.example",
                &form.dot1x_server,
            ),
        ];
        let peap_inputs = vec![
            password(Field::Dot1xPassword, "dot1x_password", t.dot1x_password),
            line(
                Field::Dot1xAnonymous,
                "dot1x_anonymous",
                t.dot1x_anonymous,
                t.dot1x_anonymous_hint,
                "anonymous",
                &form.dot1x_anonymous,
            ),
        ];
        let tls_inputs = vec![
            pem(Field::Dot1xCertificate, "dot1x_certificate", t.dot1x_certificate, t.pem_hint, &form.dot1x_certificate),
            pem(Field::Dot1xKey, "dot1x_key", t.dot1x_key, t.secret_hint, ""),
            password(Field::Dot1xKeyPassword, "dot1x_key_password", t.dot1x_key_password),
        ];
        let folded = [&more, &ipv6_inputs, &dot1x_inputs, &peap_inputs, &tls_inputs];
        let more_is_open = folded.into_iter().flatten().any(|input| input.error.is_some());
        let word = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
        Self {
            is_static: form.mode == "static",
            ipv6: word(&form.ipv6, "auto"),
            dot1x: word(&form.dot1x, "off"),
            main,
            dns,
            more,
            ipv6_inputs,
            dot1x_inputs,
            peap_inputs,
            tls_inputs,
            more_is_open,
            problem: (!errors.is_empty()).then_some(t.nothing_changed),
            mode_problem: error(Field::Mode).or(error(Field::Ipv6)).or(error(Field::Dot1x)),
            warnings: Vec::new(),
        }
    }
}

impl From<Sent> for Form {
    fn from(sent: Sent) -> Self {
        // The fields of every way are on the page; those of the one that was chosen count.
        let when = |chosen: bool| move |text: String| if chosen { text } else { String::new() };
        let of_static = when(sent.mode.trim() == "static");
        let of_ipv6 = when(sent.ipv6.trim() == "static");
        let (peap, tls) = (sent.dot1x.trim() == "peap", sent.dot1x.trim() == "tls");
        let (of_dot1x, of_peap, of_tls) = (when(peap || tls), when(peap), when(tls));
        Self {
            address: of_static(sent.address),
            prefix: of_static(sent.prefix),
            gateway: of_static(sent.gateway),
            dns: of_static(sent.dns),
            mode: sent.mode,
            host_name: sent.host_name,
            ntp: sent.ntp,
            ipv6: sent.ipv6,
            ipv6_address: of_ipv6(sent.ipv6_address),
            ipv6_gateway: of_ipv6(sent.ipv6_gateway),
            vlan: sent.vlan,
            dot1x: sent.dot1x,
            dot1x_identity: of_dot1x(sent.dot1x_identity),
            dot1x_authority: of_dot1x(sent.dot1x_authority),
            dot1x_server: of_dot1x(sent.dot1x_server),
            dot1x_password: Secret::new(of_peap(sent.dot1x_password)),
            dot1x_anonymous: of_peap(sent.dot1x_anonymous),
            dot1x_certificate: of_tls(sent.dot1x_certificate),
            dot1x_key: Secret::new(of_tls(sent.dot1x_key)),
            dot1x_key_password: Secret::new(of_tls(sent.dot1x_key_password)),
        }
    }
}

fn fault(t: &Texts, error: &FieldError) -> String {
    let words = match error.fault {
        Fault::Missing => t.fault_missing,
        Fault::UnknownWord => t.fault_unknown_word,
        Fault::NotAnAddress => t.fault_not_an_address,
        Fault::NotAPrefix if matches!(error.field, Field::Ipv6Address) => t.fault_not_a_prefix_6,
        Fault::NotAPrefix => t.fault_not_a_prefix,
        Fault::TwoPrefixes => t.fault_two_prefixes,
        Fault::NotForHosts => t.fault_not_for_hosts,
        Fault::LinkLocal => t.fault_link_local,
        Fault::IsTheSubnet => t.fault_is_the_subnet,
        Fault::IsTheBroadcast => t.fault_is_the_broadcast,
        Fault::OutsideTheSubnet => t.fault_outside,
        Fault::IsTheBox => t.fault_is_the_box,
        Fault::NotAName => t.fault_not_a_name,
        Fault::TooMany => t.fault_too_many,
        Fault::NotAVlan => t.fault_not_a_vlan,
        Fault::TooLong => t.fault_too_long,
        Fault::NotACertificate => t.fault_not_a_certificate,
        Fault::NotAKey => t.fault_not_a_key,
    };
    fill(words, &[&error.value])
}
