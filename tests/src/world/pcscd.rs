//! A resource manager (pcscd) of the test's own, with the standard virtual reader, and cards that come and go.
//!
//! pcscd uses a fixed socket path unless systemd passes it a socket. Therefore this module acts like systemd: it
//! listens, passes the socket as descriptor 3 and announces it in the environment. Several instances run concurrently,
//! and none conflicts with the machine's own.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::process::Process;
use super::{port, wait};

/// The virtual reader's driver, at Debian's path.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// A running pcscd.
#[derive(Debug)]
pub struct Pcscd {
    /// In the system's temporary folder, because a socket's path must be short.
    folder: TempDir,
    port: u16,
    slots: u16,
    /// The virtual readers, in the form of pcscd's configuration.
    readers: String,
    /// The log level.
    logs: &'static str,
    process: Process,
}

impl Pcscd {
    /// The PC/SC names of the virtual reader's two slots.
    pub const READERS: [&str; 2] = ["Virtual PCD 00 00", "Virtual PCD 00 01"];

    /// Starts pcscd; returns when cards can be inserted.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn start() -> Result<Self> {
        Self::with_reader("Virtual PCD").await
    }

    /// Starts a pcscd that logs every command of the clients.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn talkative() -> Result<Self> {
        Self::launched("Virtual PCD", 1, "--debug --apdu").await
    }

    /// Starts a pcscd with `count` virtual readers of two slots each ([`reader`](Self::reader)); PC/SC supports up to
    /// seven.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn with_readers(count: u16) -> Result<Self> {
        Self::launched("Virtual PCD", count, "--info").await
    }

    /// Starts a pcscd whose reader is called `name`; PC/SC adds ` 00 00` and ` 00 01`.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn with_reader(name: &str) -> Result<Self> {
        Self::launched(name, 1, "--info").await
    }

    async fn launched(name: &str, count: u16, logs: &'static str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("yomitori-pcscd-").tempdir().context("make a folder")?;
        // A reader uses the next port for its second slot.
        let slots = 2 * count;
        let port = port::free_row(slots)?;
        std::fs::create_dir(folder.path().join("config")).context("make a folder")?;
        let mut readers = String::new();
        for (number, channel) in (port..port + slots).step_by(2).enumerate() {
            // A driver that is loaded once has two slots, independent of the configuration.
            let driver = folder.path().join(format!("driver-{number}.so"));
            std::fs::copy(DRIVER, &driver).context("copy the driver")?;
            let name = friendly(name, number);
            readers += &format!(
                "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:{channel}\nLIBPATH {}\nCHANNELID {channel}\n",
                driver.display()
            );
        }
        write_readers(&folder, &readers)?;
        let process = launch(&folder, logs)?;
        let mut pcscd = Self { folder, port, slots, readers, logs, process };
        pcscd.ready().await?;
        Ok(pcscd)
    }

    /// The PC/SC name of a slot if there are several readers.
    #[must_use]
    pub fn reader(slot: u16) -> String {
        format!("{} 00 {:02X}", friendly("Virtual PCD", usize::from(slot / 2)), slot % 2)
    }

    /// The socket, for the clients' `PCSCLITE_CSOCK_NAME`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// `kill -9`: the readers disappear with it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again on the same socket after a [`kill`](Self::kill).
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = launch(&self.folder, self.logs)?;
        self.ready().await
    }

    /// Removes the reader with both slots. The virtual reader can't be removed alone, so pcscd restarts at once without
    /// it.
    ///
    /// # Errors
    /// If pcscd doesn't start.
    pub fn unplug(&mut self) -> Result<()> {
        self.process.kill()?;
        write_readers(&self.folder, "")?;
        self.process = launch(&self.folder, self.logs)?;
        Ok(())
    }

    /// Adds the reader again.
    ///
    /// # Errors
    /// If pcscd doesn't start.
    pub async fn plug(&mut self) -> Result<()> {
        write_readers(&self.folder, &self.readers)?;
        self.restart().await
    }

    /// Lays a card on a slot: 0 and 1 are the first reader's. pcscd polls every 400 ms.
    ///
    /// # Errors
    /// If the reader doesn't listen.
    pub fn insert(&self, slot: u16, atr: &[u8]) -> Result<Card> {
        ensure!(slot < self.slots, "there are {} slots", self.slots);
        Card::insert(self.port + slot, atr)
    }

    async fn ready(&mut self) -> Result<()> {
        let ports = self.port..self.port + self.slots;
        wait::until("the virtual reader", Duration::from_secs(10), async || {
            self.process.alive()?;
            for port in ports.clone() {
                ensure!(port::listening(port)?, "nothing listens on {port}");
            }
            Ok(())
        })
        .await
    }
}

/// PC/SC counts the readers of one driver only, so copies of the driver would have the same name.
fn friendly(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name} {number}") }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("socket")
}

/// pcscd reads this at its start.
fn write_readers(folder: &TempDir, readers: &str) -> Result<()> {
    std::fs::write(folder.path().join("config/reader"), readers).context("write the readers' configuration")
}

fn launch(folder: &TempDir, logs: &str) -> Result<Process> {
    let socket = socket(folder);
    std::fs::remove_file(&socket).ok();
    let listener = UnixListener::bind(&socket).context("listen on the socket")?;
    // The socket is passed as standard input, which is never closed on exec. The shell moves it to descriptor 3 and
    // then executes pcscd, so that the process number equals LISTEN_PID.
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!(
            "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec /usr/sbin/pcscd --foreground {logs} -c \"$0\""
        ))
        .arg(folder.path().join("config"))
        .stdin(Stdio::from(OwnedFd::from(listener)));
    let log = folder.path().join("log");
    let out = std::fs::File::options().create(true).append(true).open(&log).context("open the log")?;
    command.stdout(out.try_clone().context("share the log")?).stderr(out);
    Process::start_as_is("pcscd", command, &log)
}

/// A card on the virtual reader. It is removed when it is dropped.
#[derive(Debug)]
pub struct Card {
    stream: TcpStream,
    /// pcscd has powered the card and received its answer.
    noticed: Arc<AtomicBool>,
    answers: Option<JoinHandle<()>>,
}

impl Card {
    fn insert(port: u16, atr: &[u8]) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("insert the card")?;
        stream.set_nodelay(true).context("insert the card")?;
        let (mut side, atr) = (stream.try_clone().context("insert the card")?, atr.to_vec());
        let noticed = Arc::new(AtomicBool::new(false));
        let known = Arc::clone(&noticed);
        let answers = std::thread::spawn(move || {
            let mut powered = false;
            while let Ok(request) = answer(&mut side, &atr) {
                // Without power the reader only asks whether a card is present.
                powered |= matches!(request, Request::Power);
                if powered && matches!(request, Request::Answer) {
                    known.store(true, Ordering::Release);
                }
            }
        });
        Ok(Self { stream, noticed, answers: Some(answers) })
    }

    /// Waits until pcscd has noticed the card; a card that is removed earlier is never seen.
    ///
    /// # Errors
    /// If pcscd does not poll.
    pub async fn noticed(&self) -> Result<()> {
        wait::until("pcscd to notice the card", wait::PATIENCE, async || {
            ensure!(self.noticed.load(Ordering::Acquire), "it has not powered the card");
            Ok(())
        })
        .await
    }

    /// Removes the card.
    pub fn remove(self) {}
}

impl Drop for Card {
    fn drop(&mut self) {
        self.stream.shutdown(Shutdown::Both).ok();
        if let Some(answers) = self.answers.take() {
            answers.join().ok();
        }
    }
}

/// A request of the reader.
enum Request {
    Power,
    Answer,
    Other,
}

/// The reader's protocol: a length of two bytes, then that many bytes. A single byte is a command (off, on, reset, give
/// the ATR), of which only the last has an answer. More bytes are for the card, which answers "not supported".
fn answer(stream: &mut TcpStream, atr: &[u8]) -> std::io::Result<Request> {
    const ON: u8 = 1;
    const GIVE_ATR: u8 = 4;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    let (request, reply): (_, &[u8]) = match message.as_slice() {
        [GIVE_ATR] => (Request::Answer, atr),
        [ON] => return Ok(Request::Power),
        [_] => return Ok(Request::Other),
        _ => (Request::Other, &[0x6D, 0x00]),
    };
    let length = u16::try_from(reply.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), reply].concat())?;
    Ok(request)
}
