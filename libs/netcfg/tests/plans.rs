//! What systemd-networkd is given for each kind of configuration, and for a trial of one beside another.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::path::Path;

use netcfg::config::{Config, Form};
use netcfg::plan::{Plan, Port};

fn port() -> Port {
    Port { name: "end0".into(), mac: [0xdc, 0xa6, 0x32, 0x12, 0xab, 0xcd], link_local: Some([169, 254, 7, 8].into()) }
}

fn config(mode: &str, address: &str, gateway: &str, change: impl FnOnce(&mut Form)) -> Config {
    let mut form = Form { mode: mode.into(), address: address.into(), gateway: gateway.into(), ..Form::default() };
    change(&mut form);
    form.parse().unwrap()
}

fn check(name: &str, plan: &Plan) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (file, content) in &plan.files {
        let golden = match *file {
            "10-druckwart.network" => format!("{name}.network"),
            "20-druckwart-old-vlan.network" => "old-vlan.network".to_owned(),
            other => other.replace("10-druckwart", name),
        };
        testkit::golden::check(content, folder.join(golden));
    }
    let port_file = &plan.files["10-druckwart.network"];
    for line in ["LinkLocalAddressing=ipv6", "MulticastDNS=yes", "Address=169.254.7.8/16"] {
        assert!(port_file.lines().any(|found| found == line), "{name} lacks {line}");
    }
}

#[test]
fn layouts_are_as_they_were_read_and_found_good() {
    let dhcp = Config::factory();
    let fixed = config("static", "192.168.1.20/24", "192.168.1.1", |form| form.dns = "192.168.1.1 2001:db8::53".into());
    let moved = config("static", "10.20.0.9/16", "10.20.0.1", |_| {});
    let beside = config("static", "192.168.1.30/24", "192.168.1.254", |_| {});
    let all = config("static", "192.168.1.20/24", "192.168.1.1", |form| {
        form.dns = "192.168.1.1".into();
        form.ntp = "time.example 192.168.1.2".into();
        form.host_name = "reception".into();
        form.ipv6 = "static".into();
        form.ipv6_address = "2001:db8::20/64".into();
        form.ipv6_gateway = "fe80::1".into();
    });
    let quiet = config("dhcp", "", "", |form| {
        form.dns = "9.9.9.9".into();
        form.ntp = "time.example".into();
        form.ipv6 = "off".into();
    });
    check("dhcp", &Plan::settled(&port(), &dhcp));
    check("dhcp-own-servers-no-ipv6", &Plan::settled(&port(), &quiet));
    check("static", &Plan::settled(&port(), &fixed));
    check("static-everything", &Plan::settled(&port(), &all));
    check("trial-dhcp-to-static", &Plan::trial(&port(), &dhcp, &fixed));
    check("trial-static-to-dhcp", &Plan::trial(&port(), &fixed, &dhcp));
    check("trial-same-subnet", &Plan::trial(&port(), &fixed, &beside));
    check("trial-other-subnet", &Plan::trial(&port(), &fixed, &moved));
    check("trial-same-address", &Plan::trial(&port(), &fixed, &all));
    check("rescue", &Plan::rescue(&port(), &fixed));
    let vlan = config("static", "192.168.7.20/24", "192.168.7.1", |form| form.vlan = "7".into());
    check("vlan", &Plan::settled(&port(), &vlan));
    check("vlan-rescue", &Plan::rescue(&port(), &vlan));
    // Beside it nothing else: it is another network.
    assert_eq!(Plan::trial(&port(), &dhcp, &vlan), Plan::settled(&port(), &vlan));
    let bare = Plan::settled(&Port { link_local: None, ..port() }, &dhcp);
    assert!(!bare.files["10-druckwart.network"].contains("169.254."));
    assert_eq!(Plan::settled(&port(), &dhcp).host_name.as_str(), "druckwart-12abcd");
    assert_eq!(Plan::settled(&port(), &all).host_name.as_str(), "reception");
}
