//! A connection that loses what the server answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Proxy {
    address: String,
    swallow: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens, and passes on to `address` and back.
    pub(super) async fn before(address: &str) -> Self {
        let target = address.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let swallow = Arc::new(AtomicBool::new(false));
        let swallows = Arc::clone(&swallow);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&target).await.unwrap();
                let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut near_read, &mut far_write).await });
                let swallow = Arc::clone(&swallows);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(read) = far_read.read(&mut buffer).await {
                        let lost = swallow.load(Ordering::SeqCst);
                        if read == 0 || !lost && near_write.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, swallow }
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    /// From now on nothing that the server says arrives.
    pub(super) fn swallow_replies(&self) {
        self.swallow.store(true, Ordering::SeqCst);
    }
}
