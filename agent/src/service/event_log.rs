//! Writes log lines to the event log of Windows, where administrators look; the standard error of a service is not
//! visible. The package registers the source.
#![expect(unsafe_code, reason = "Windows is called; every block says why it is sound")]

use std::io;
use std::ptr::{null, null_mut};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::EventLog::{
    EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, REPORT_EVENT_TYPE, RegisterEventSourceW,
    ReportEventW,
};

/// The longest text that the log accepts.
const LONGEST: usize = 31_000;

/// Writes whole lines; writes nothing if the log can't be opened.
#[derive(Clone, Copy, Debug)]
pub struct EventLog {
    source: HANDLE,
}

// SAFETY: Windows accepts events of one source from any thread.
unsafe impl Send for EventLog {}
// SAFETY: as above.
unsafe impl Sync for EventLog {}

impl EventLog {
    /// Opens the log for a source; it stays open until the process ends.
    #[must_use]
    pub fn open(source: &str) -> Self {
        let name: Vec<u16> = source.encode_utf16().chain([0]).collect();
        // SAFETY: the name ends with zero; a null computer name means this computer.
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

/// The writer for one line, which the formatter writes in one call.
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
