//! An HTTP proxy as companies have one: CONNECT and nothing else, for those who log in. It alone knows where hosts are.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// A proxy; it ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    passed: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Proxy {
    /// A proxy that leads `host:port` to a port of this machine, for who logs in as `user:password`.
    pub async fn open(host: &str, to: u16, login: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let passed = Arc::new(AtomicU64::new(0));
        let (count, wanted) = (passed.clone(), format!("CONNECT {host} HTTP/1.1"));
        let right = format!("proxy-authorization: Basic {}", BASE64.encode(login.as_bytes())).to_lowercase();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (count, wanted, right) = (count.clone(), wanted.clone(), right.clone());
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &wanted, &right, to, &count).await {
                        eprintln!("the proxy: {error:#}");
                    }
                });
            }
        });
        Ok(Self { address, passed, task: task.abort_handle() })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections it has let through.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, wanted: &str, right: &str, to: u16, count: &AtomicU64) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < 8192, "a head without end");
        // Somebody looked whether the port is open.
        let Ok(byte) = stream.read_u8().await else { return Ok(()) };
        head.push(byte);
    }
    let head = String::from_utf8(head)?;
    if !head.lines().any(|line| line.to_lowercase() == *right) {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
                       Content-Length: 0\r\nConnection: close\r\n\r\n";
        return stream.write_all(refusal.as_bytes()).await.map_err(Into::into);
    }
    ensure!(head.lines().next() == Some(wanted), "asked for {:?}", head.lines().next());
    let mut onward = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await.context("the manager")?;
    count.fetch_add(1, Ordering::Relaxed);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    // Either side may break off; that is the tested programs' matter.
    let _ = copy_bidirectional(&mut stream, &mut onward).await;
    Ok(())
}
