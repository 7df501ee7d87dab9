//! The child process itself: started, talked to in lines, and started again when it dies.

use super::message::{Line, Order, Said};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

/// The longest line that a child may write.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
/// Lines of a child that may wait to be looked at; a child that writes faster waits itself.
const LINES_WAITING: usize = 256;
/// The pauses before a child that died is started again. One that had answered something was well when it started, and died
/// of something else: the pauses begin anew.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The most lines that are no messages, in one life, before the child is taken for another program.
const MAX_GARBAGE: u32 = 1_000;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum LinkError {
    /// The child is not running, or died before it answered.
    #[error("the child program is not running")]
    Gone,
    /// It said something that can't be.
    #[error("the child program said: {0}")]
    Wrong(String),
    /// It did not answer in time.
    #[error("the child program did not answer within {0} s")]
    Late(u64),
}

/// The way to a child.
#[derive(Clone, Debug)]
pub(super) struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Counts the child's lives; odd while it runs.
    lives: watch::Sender<u64>,
    kill: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Where lines to the child go, while it runs.
    lines: Option<mpsc::UnboundedSender<String>>,
    /// Who waits for what the child says about an id.
    open: BTreeMap<u64, mpsc::Sender<Said>>,
    /// It has said something in this life.
    spoke: bool,
}

/// One conversation with the child, under one id.
#[derive(Debug)]
pub(super) struct Talk {
    link: Link,
    pub(super) id: u64,
    said: mpsc::Receiver<Said>,
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.link.state().open.remove(&self.id);
    }
}

impl Talk {
    /// The next thing that the child says about it.
    pub(super) async fn next(&mut self) -> Result<Said, LinkError> {
        self.said.recv().await.ok_or(LinkError::Gone)
    }

    /// Says something more about it.
    pub(super) fn say(&self, order: &Order) {
        self.link.send(self.id, order);
    }
}

impl Link {
    /// Starts the command, and goes on starting it whenever it ends, until the link is dropped.
    pub(super) fn start(command: Vec<String>) -> Self {
        let (lives, kill) = (watch::channel(0).0, watch::channel(0).0);
        let link = Self(Arc::new(Inner { state: Mutex::default(), lives, kill }));
        tokio::spawn(keep(Arc::downgrade(&link.0), command));
        link
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in there stays sound whatever panicked while holding it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a conversation.
    pub(super) fn talk(&self, order: &Order) -> Result<Talk, LinkError> {
        let (sender, said) = mpsc::channel(LINES_WAITING);
        let id = {
            let mut state = self.state();
            if state.lines.is_none() {
                return Err(LinkError::Gone);
            }
            state.last += 1;
            let id = state.last;
            state.open.insert(id, sender);
            id
        };
        let talk = Talk { link: self.clone(), id, said };
        talk.say(order);
        Ok(talk)
    }

    /// Asks for one answer.
    pub(super) async fn ask(&self, order: &Order, limit: Duration) -> Result<Said, LinkError> {
        let mut talk = self.talk(order)?;
        match tokio::time::timeout(limit, talk.next()).await {
            Ok(said) => said,
            Err(_) => Err(LinkError::Late(limit.as_secs())),
        }
    }

    fn send(&self, id: u64, order: &Order) {
        let line = serde_json::to_string(&Line { id, order }).unwrap_or_default();
        if let Some(lines) = &self.state().lines {
            // A child that has just died hears nothing; its conversations end by themselves.
            let _ = lines.send(line);
        }
    }

    /// Waits until the child runs.
    pub(super) async fn running(&self, limit: Duration) -> Result<(), LinkError> {
        let mut lives = self.0.lives.subscribe();
        let runs = async { lives.wait_for(|lives| lives % 2 == 1).await.map(|_| ()).map_err(|_| LinkError::Gone) };
        tokio::time::timeout(limit, runs).await.unwrap_or(Err(LinkError::Late(limit.as_secs())))
    }

    /// Kills the child: it doesn't listen any more. It is started again.
    pub(super) fn kill(&self) {
        self.0.kill.send_modify(|kills| *kills += 1);
    }
}

/// Runs the child again and again.
async fn keep(inner: std::sync::Weak<Inner>, command: Vec<String>) {
    let mut pause = PAUSE_MIN;
    loop {
        let Some(link) = inner.upgrade().map(Link) else { return };
        link.state().spoke = false;
        match spawn(&command) {
            Ok(child) => live(link, child).await,
            Err(error) => {
                tracing::error!(%error, program = command.first(), "the child program can't be started");
                drop(link);
            }
        }
        let spoke = inner.upgrade().is_some_and(|inner| Link(inner).state().spoke);
        pause = if spoke { PAUSE_MIN } else { pause };
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn spawn(command: &[String]) -> std::io::Result<Child> {
    let (program, arguments) = command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command.kill_on_drop(true).spawn()
}

/// One life of the child, to its end.
async fn live(link: Link, mut child: Child) {
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { return };
    let (lines, waiting) = mpsc::unbounded_channel();
    link.state().lines = Some(lines);
    link.0.lives.send_modify(|lives| *lives += 1);
    let mut kills = link.0.kill.subscribe();
    let weak = Arc::downgrade(&link.0);
    let writing = tokio::spawn(write(stdin, waiting));
    tokio::select! {
        () = read(&link, stdout) => {}
        _ = kills.changed() => tracing::warn!("the child program does not listen: it is killed"),
        () = dropped(weak) => {}
    }
    writing.abort();
    let _ = child.kill().await;
    let mut state = link.state();
    state.lines = None;
    state.open.clear();
    drop(state);
    link.0.lives.send_modify(|lives| *lives += 1);
    tracing::warn!("the child program has ended");
}

/// Returns when nobody but this life holds the link.
async fn dropped(link: std::sync::Weak<Inner>) {
    while link.strong_count() > 1 {
        tokio::time::sleep(PAUSE_MIN).await;
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::UnboundedReceiver<String>) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read(link: &Link, stdout: ChildStdout) {
    let mut stdout = BufReader::new(stdout);
    let mut garbage = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stdout).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(read) if read == MAX_LINE_BYTES => {
                tracing::error!("the child program writes a line without end");
                return;
            }
            Ok(_) => {}
        }
        match serde_json::from_slice::<Said>(&line) {
            Ok(said) => hear(link, said).await,
            Err(error) => {
                garbage += 1;
                if garbage == 1 {
                    let line = String::from_utf8_lossy(&line);
                    tracing::warn!(%error, line = line.trim_end(), "the child program writes lines that are no messages");
                }
                if garbage > MAX_GARBAGE {
                    tracing::error!("the child program writes nothing but lines that are no messages");
                    return;
                }
            }
        }
    }
}

async fn hear(link: &Link, said: Said) {
    if let Some(log) = &said.log {
        tracing::info!(target: "child", "{log}");
        return;
    }
    let Some(id) = said.id else { return };
    let waiting = {
        let mut state = link.state();
        state.spoke = true;
        state.open.get(&id).cloned()
    };
    if let Some(waiting) = waiting {
        // Where its reader is slow, the child waits: its pipe fills up.
        let _ = waiting.send(said).await;
    }
}
