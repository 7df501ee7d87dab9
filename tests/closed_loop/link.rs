//! A network link that can go dead, and a place that people are called at.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often a dead link looks whether it lives again.
const LOOK: Duration = Duration::from_millis(50);

/// Passes on what both sides say, until it is dead: then nothing arrives and nothing is said of it.
pub(super) struct Link {
    pub(super) address: String,
    dead: Arc<AtomicBool>,
    lines: Arc<Mutex<Vec<TcpStream>>>,
}

impl Link {
    pub(super) fn before(address: &str) -> Self {
        let target = address.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let dead = Arc::new(AtomicBool::new(false));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (dies, kept) = (Arc::clone(&dead), Arc::clone(&lines));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&target) else { continue };
                kept.lock().unwrap().push(near.try_clone().unwrap());
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to, dead) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(&dies));
                    std::thread::spawn(move || pass(from, to, &dead));
                }
            }
        });
        Self { address, dead, lines }
    }

    /// Cuts every line there is; new ones come about.
    pub(super) fn cut(&self) {
        for line in self.lines.lock().unwrap().drain(..) {
            // It may have been cut already.
            let _ = line.shutdown(std::net::Shutdown::Both);
        }
    }

    pub(super) fn set_dead(&self, dead: bool) {
        self.dead.store(dead, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, dead: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        while dead.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK);
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // What one side closed is closed for the other.
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// Keeps what is posted to it.
pub(super) struct Webhook {
    pub(super) address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Webhook {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/page", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let body = request(&mut stream);
                hears.lock().unwrap().push(body);
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            }
        });
        Self { address, heard }
    }

    pub(super) fn heard(&self) -> Vec<serde_json::Value> {
        self.heard.lock().unwrap().iter().map(|it| serde_json::from_str(it).unwrap()).collect()
    }
}

/// The body of a request, whole.
fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap().to_lowercase();
    let length = head.lines().find_map(|it| it.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}
