//! Simulated printers on sockets: where answers come from and when.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{
    net::{SocketAddr, SocketAddrV4},
    time::Duration,
};

use testkit::{
    printer_sim::{Mood, Printer},
    recording::Recording,
    sim_site::SimSite,
};
use tokio::net::UdpSocket;

/// A v2c GET of sysName.0.
const REQUEST: &[u8] = b"\x30\x27\x02\x01\x01\x04\x06public\xa0\x1a\x02\x02\x01\x02\x02\x01\x00\x02\x01\x00\
                         \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\x00\x05\x00";

#[tokio::test]
async fn each_printer_has_its_own_address_and_all_one_port() {
    let site = SimSite::start(vec![printer(); 300]).await.unwrap();
    let addresses = site.addresses();
    assert!(addresses.windows(2).all(|two| two[0].ip() < two[1].ip() && two[0].port() == two[1].port()));
    assert_eq!(ask(addresses[299]).await, (SocketAddr::V4(addresses[299]), b"\x04\x04name".to_vec()));
    assert_eq!(site.with(299, |printer| printer.traffic().datagrams_in), 1);
    assert_eq!(site.with(0, |printer| printer.traffic().datagrams_in), 0);
}

#[tokio::test]
async fn answers_come_from_where_the_mood_says() {
    let site = SimSite::start(vec![printer()]).await.unwrap();
    let expected = site.addresses()[0];
    for (mood, same_address, same_port) in [
        (Mood::Normal, true, true),
        (Mood::Slow(Duration::from_millis(1)), true, true),
        (Mood::OtherPort, true, false),
        (Mood::OtherAddress, false, false),
    ] {
        site.with(0, |printer| printer.set_mood(mood));
        let (from, _) = ask(expected).await;
        assert_eq!(
            (from.ip() == *expected.ip(), from.port() == expected.port()),
            (same_address, same_port),
            "{mood:?}"
        );
    }
}

#[tokio::test]
async fn what_is_dropped_answers_no_more() {
    let site = SimSite::start(vec![printer()]).await.unwrap();
    let address = site.addresses()[0];
    drop(site);
    // The port is free again as soon as the tasks have ended.
    let free = async {
        while UdpSocket::bind(address).await.is_err() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), free).await.unwrap();
}

fn printer() -> Printer {
    Printer::new(Recording::parse("1.3.6.1.2.1.1.5.0|4|name\n").unwrap())
}

/// Who answers, and the value.
async fn ask(address: SocketAddrV4) -> (SocketAddr, Vec<u8>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(REQUEST, address).await.unwrap();
    let mut buffer = [0; 1500];
    let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
    (from, buffer[length - 6..length].to_vec())
}
