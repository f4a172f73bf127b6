//! The event log of Windows as a place for log lines: who maintains terminals looks there, and nobody sees the standard error
//! of a service. The source is registered by the package.
#![expect(unsafe_code, reason = "Windows is called; every block says why it holds")]

use std::io;
use std::ptr::{null, null_mut};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::EventLog::{
    EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, REPORT_EVENT_TYPE, RegisterEventSourceW,
    ReportEventW,
};

/// The log takes no longer text.
const LONGEST: usize = 31_000;

/// Writes whole lines; nothing where the log can't be opened.
#[derive(Clone, Copy, Debug)]
pub struct EventLog {
    source: HANDLE,
}

// SAFETY: Windows takes events of one source from any thread.
unsafe impl Send for EventLog {}
// SAFETY: as above.
unsafe impl Sync for EventLog {}

impl EventLog {
    /// Opens the log for a source, until the process ends.
    #[must_use]
    pub fn open(source: &str) -> Self {
        let name: Vec<u16> = source.encode_utf16().chain([0]).collect();
        // SAFETY: the name ends with zero; no name of a computer means this one.
        Self { source: unsafe { RegisterEventSourceW(null(), name.as_ptr()) } }
    }
}

impl<'a> MakeWriter<'a> for EventLog {
    type Writer = EventLogLine;

    fn make_writer(&'a self) -> EventLogLine {
        EventLogLine { source: self.source, kind: EVENTLOG_INFORMATION_TYPE, id: 1 }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> EventLogLine {
        let (kind, id) = match *meta.level() {
            Level::ERROR => (EVENTLOG_ERROR_TYPE, 3),
            Level::WARN => (EVENTLOG_WARNING_TYPE, 2),
            _ => (EVENTLOG_INFORMATION_TYPE, 1),
        };
        EventLogLine { source: self.source, kind, id }
    }
}

/// One line, written at once by whoever formats it.
#[derive(Debug)]
pub struct EventLogLine {
    source: HANDLE,
    kind: REPORT_EVENT_TYPE,
    id: u32,
}

impl io::Write for EventLogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let units: Vec<u16> =
            text.trim_end().encode_utf16().filter(|unit| *unit != 0).take(LONGEST).chain([0]).collect();
        let strings = [units.as_ptr()];
        if !self.source.is_null() {
            // SAFETY: the source is open until the process ends, and there is one string, which ends with zero.
            unsafe {
                ReportEventW(self.source, self.kind, 0, self.id, null_mut(), 1, 0, strings.as_ptr(), null());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
